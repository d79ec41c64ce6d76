"""Other people's code in the web process: it fails its own request, and its name is in the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from mediaflow.app import create_app
from mediaflow.domain.errors import PluginFailed
from tests.api.site import Site, is_problem
from tests.outsiders import install
from tests.services.world import make_world

PLUGIN = """
import sys
from mediaflow.plugin import Problem, hookimpl

class Odd(BaseException):
    pass

def raises(name):
    if name == "exit":
        sys.exit(0)
    raise {"generator": GeneratorExit, "error": RuntimeError, "odd": Odd}[name]

def parts(name):
    yield b"part"
    raises(name)

@hookimpl
def mediaflow_register_blueprints(context):
    from flask import Response
    from flask_smorest import Blueprint

    harm = Blueprint("harm", __name__)

    @harm.before_request
    def before():
        from flask import request
        if request.args.get("before"):
            raises(request.args["before"])

    @harm.route("/view/<name>")
    def view(name):
        raises(name)

    @harm.route("/fine")
    def fine():
        return {}

    @harm.route("/stream/<name>")
    def stream(name):
        return Response(parts(name))

    return [harm]

@hookimpl
def mediaflow_validate_upload(upload):
    if upload.filename == "many.mp4":
        return [Problem("upload.many", "x" * 10_000, "/filename")] * 20_000
    if upload.filename.startswith("harm-"):
        raises(upload.filename.split(".")[0][5:])
"""


@pytest.fixture
def harmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(install(tmp_path / "modules", "harm", PLUGIN)))
    world = make_world(tmp_path / "data")
    app = create_app(world.runtime.settings, world.runtime)
    yield Site(world, app.test_client(use_cookies=False))
    world.runtime.close()


def test_a_plugin_that_exits_fails_its_own_request_and_is_named_in_the_log(harmed: Site) -> None:
    ann = harmed.as_user("ann")
    for path in ("/view/exit", "/view/generator", "/view/error", "/fine?before=exit", "/fine?before=generator"):
        with capture_logs(processors=[merge_contextvars]) as logs:
            is_problem(ann.get(f"/plugins/harm{path}"), 500, "internal.error")
        failed = [(line["event"], line["plugin"]) for line in logs if line["log_level"] == "error"]
        assert failed == [("request failed", "harm")], path
    assert ann.get("/plugins/harm/fine").status_code == 200


def test_an_answer_that_ends_early_ends_no_process(harmed: Site) -> None:
    answer = harmed.as_user("ann").get("/plugins/harm/stream/exit", buffered=False)
    with pytest.raises(Exception, match=r"SystemExit\(0\)"):
        list(answer.iter_encoded())


@pytest.mark.parametrize("name", ["exit", "generator", "error"])
def test_a_validation_that_exits_refuses_the_upload(harmed: Site, name: str) -> None:
    with capture_logs() as logs:
        refused = harmed.as_user("ann").call("POST", "/uploads", json={"filename": f"harm-{name}.mp4", "size_bytes": 1})
    is_problem(refused, 500, "plugin.failed" if name == "error" else "plugin.broken")
    error = next(line["exc_info"] for line in logs if line["log_level"] == "error")
    assert isinstance(error, PluginFailed)
    assert error.detail.startswith("the plugin 'harm' of dist-harm 1.0 failed in mediaflow_validate_upload: ")


def test_twenty_thousand_problems_are_a_small_answer(harmed: Site) -> None:
    refused = harmed.as_user("ann").call("POST", "/uploads", json={"filename": "many.mp4", "size_bytes": 1})
    assert len(is_problem(refused, 422)["errors"]) == 20
    assert len(refused.data) < 32_000
