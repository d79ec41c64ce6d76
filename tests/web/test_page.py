"""The page as it is served: what the browser gets, and that nothing in it can be turned into markup."""

from __future__ import annotations

import re
from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient

from mediaflow.domain.events import EVENTS
from mediaflow.web.page import page_blueprint

STATIC = Path(__file__).parents[2] / "mediaflow" / "web" / "static"
MODULES = sorted(path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)


@pytest.fixture
def client() -> FlaskClient:
    app = flask.Flask(__name__, static_folder=None)
    app.register_blueprint(page_blueprint())
    return app.test_client()


@pytest.fixture
def html(client: FlaskClient) -> str:
    with client.get("/") as answer:
        assert answer.status_code == 200
        return answer.get_data(as_text=True)


def test_the_page_allows_nothing_inline_and_nothing_from_elsewhere(client: FlaskClient) -> None:
    with client.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert re.findall("trusted-types ([^;]+)", policy) == ["default"]


def test_the_page_holds_nothing_that_its_policy_would_block(html: str) -> None:
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", html)
    assert re.findall(r"<script(?![^>]*\ssrc=)", html) == []


def test_the_page_hears_of_every_event_that_there_is() -> None:
    listed = re.search(r"NAMES = \[(.*?)\]", (STATIC / "lib" / "live.js").read_text(), re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"'([a-z.]+)'", listed[1])) == EVENTS.keys()


def test_everything_that_the_page_names_is_served(client: FlaskClient, html: str) -> None:
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)
    assert len(named) >= 3
    for address in named:
        with client.get(address) as answer:
            assert answer.status_code == 200, address


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("base.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml; charset=utf-8"),
    ],
)
def test_static_files_say_what_they_are(client: FlaskClient, name: str, content_type: str) -> None:
    with client.get(f"/static/{name}") as answer:
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        etag = answer.headers["ETag"]
    with client.get(f"/static/{name}", headers={"If-None-Match": etag}) as again:
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["../page.py", "%2e%2e/page.py", "..%2fpage.py", "nothing.js", "vendor"])
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    with client.get(f"/static/{path}") as answer:
        assert answer.status_code == 404


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_module_turns_text_into_markup_or_code(module: Path) -> None:
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|window\.\w+ ="
    assert re.findall(dangerous, module.read_text()) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_finds_what_it_asks_for(module: Path, html: str) -> None:
    text = module.read_text()
    for imported in re.findall(r"from '(\.[^']+)'", text):
        assert (module.parent / imported).is_file(), imported
    for wanted in re.findall(r"(?:byId|fromTemplate)\('([^']+)'\)", text):
        assert f'id="{wanted}"' in html, wanted


def test_every_control_has_a_name(html: str) -> None:
    """Each input and select has a label; buttons, and what is in templates, get a name from the module if not here."""
    labelled = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', html))
    fields = [
        tag for tag in re.findall(r"<(?:input|select)[^>]*>", html) if " hidden" not in tag and "data-part=" not in tag
    ]
    assert {match[1] for tag in fields if (match := re.search(r'\sid="([^"]+)"', tag))} <= labelled
    assert len(fields) == len([tag for tag in fields if " id=" in tag])
