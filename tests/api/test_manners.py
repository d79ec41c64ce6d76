"""What every answer carries, who may call from elsewhere, which host we are, and errors as documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from mediaflow.app import create_app
from mediaflow.domain.errors import ConfigurationError
from tests.api.site import MASTER, Api, Site, is_problem
from tests.services.world import make_world

APP = "https://app.example"
Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes sites with settings of their own."""
    made: list[Site] = []

    def make_site(**environ: str) -> Site:
        world = make_world(tmp_path / f"data{len(made)}", **environ)
        try:
            app = create_app(world.runtime.settings, world.runtime)
        except ConfigurationError:
            world.runtime.close()
            raise
        made.append(Site(world, app.test_client(use_cookies=False)))
        return made[-1]

    yield make_site
    for site in made:
        site.world.runtime.close()


# --- headers of every answer


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/api/v1/openapi.json", "/api/v1/docs", "/api/v1/assets", "/nowhere", "/static/style.css"]
)
def test_every_answer_has_the_security_headers(site: Site, path: str) -> None:
    headers = site.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers
    assert len(headers.get_all("X-Request-Id")) == 1


def test_the_page_may_not_use_what_it_does_not_need(site: Site) -> None:
    assert "camera=()" in site.client.get("/").headers["Permissions-Policy"]


def test_streams_may_be_shown_elsewhere(site: Site) -> None:
    asset = site.published(visibility="public")
    token, _ = site.world.runtime.stream_tokens.mint(asset)
    answer = site.client.get(f"/stream/{token}/{asset.id}/{MASTER}")
    assert (answer.status_code, answer.headers["Cross-Origin-Resource-Policy"]) == (200, "cross-origin")


def test_https_only_is_said_where_the_public_url_says_https(make: Make) -> None:
    for url, expected in (("https://media.example", True), ("http://media.example", False)):
        headers = make(public_url=url).client.get("/livez").headers
        assert ("Strict-Transport-Security" in headers) is expected


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("request-1234", True),
        ("a" * 64, True),
        ("short", False),
        ("a" * 65, False),
        ("with space", False),
        ("x" * 10 + "\xe9", False),
    ],
)
def test_a_sane_request_id_is_echoed(site: Site, sent: str, kept: bool) -> None:
    answer = site.client.get("/nowhere", headers={"X-Request-Id": sent})
    assert (answer.headers["X-Request-Id"] == sent) is kept
    assert answer.get_json()["request_id"] == answer.headers["X-Request-Id"]


# --- methods


def test_head_is_get_without_a_body(site: Site, ann: Api) -> None:
    asset_id = site.published().id
    paths = ("/assets", f"/assets/{asset_id}", "/openapi.json", "/docs", "/usage", "/nowhere", "/profiles")
    for path in paths:
        get, head = ann.get(path), ann.call("HEAD", path)
        assert (head.status_code, head.data) == (get.status_code, b""), path
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
        assert head.headers.get("ETag") == get.headers.get("ETag")


def test_every_route_answers_options_and_refuses_other_methods_with_a_list(site: Site, ann: Api) -> None:
    seen = 0
    with site.client.application.test_request_context():
        rules = list(site.client.application.url_map.iter_rules())
    values = {"index": 0, "path": "a", "filename": "a", "code": "x" * 43, "token": "x", "language": "en"}
    for rule in rules:
        arguments = {name: values.get(name, "0" * 32) for name in rule.arguments}
        path = rule.build(arguments)
        assert path is not None
        answer = site.client.open(path[1], method="OPTIONS")
        assert answer.status_code in (200, 204), path
        allowed = {method.strip() for method in answer.headers["Allow"].split(",")}
        assert {"OPTIONS"} < allowed
        refused = site.client.open(path[1], method="TRACE", headers={"Authorization": f"Bearer {ann.token}"})
        is_problem(refused, 405, "request.method_not_allowed")
        assert {method.strip() for method in refused.headers["Allow"].split(",")} == allowed, path
        seen += 1
    assert seen > 25


# --- errors


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", {}, b"", 404, "request.not_found"),
        ("GET", "/nowhere", {}, b"", 404, "request.not_found"),
        ("GET", "/static/nowhere.js", {}, b"", 404, "request.not_found"),
        ("DELETE", "/livez", {}, b"", 405, "request.method_not_allowed"),
        ("BREW", "/api/v1/assets", {}, b"", 405, "request.method_not_allowed"),
        ("POST", "/api/v1/uploads", {"Content-Type": "application/json"}, b"{" + b" " * 2**20, 413, "limit.too_large"),
        ("POST", "/api/v1/uploads", {"Content-Type": "text/plain"}, b"{}", 415, "request.media_type"),
        ("POST", "/api/v1/uploads", {"Content-Type": "application/json"}, b"{", 400, "request.malformed"),
        ("POST", "/api/v1/uploads", {"Content-Type": "application/json"}, b"{}", 422, "request.invalid"),
        ("GET", "/api/v1/assets?x=1", {}, b"", 422, "request.invalid"),
    ],
)
def test_every_error_is_a_problem_document(
    site: Site, ann: Api, method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {ann.token}", **headers}
    answer = site.client.open(path, method=method, headers=headers, data=body)
    is_problem(answer, status, code)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", [r"\ud83d", r"\udc00\ud800", "/~", r"\u0000", r"\ud83d\ude00"])
def test_a_field_name_that_is_no_text_is_answered_in_text(ann: Api, name: str) -> None:
    body = f'{{"filename": "a.mp4", "size_bytes": 1, "{name}": 1}}'
    answer = ann.call("POST", "/uploads", data=body, headers={"Content-Type": "application/json"})
    is_problem(answer, 422, "request.invalid")
    document = json.loads(answer.data.decode("utf-8"))
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    assert document["errors"][0]["code"] == "request.unknown_field"


# --- other origins


def preflight(site: Site, path: str, origin: str = APP, method: str = "PATCH") -> TestResponse:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    return site.client.options(path, headers=headers)


def test_without_a_list_no_other_origin_reads_the_api(site: Site, ann: Api) -> None:
    for answer in (preflight(site, "/api/v1/assets"), ann.get("/assets", headers={"Origin": APP})):
        assert answer.status_code == 200
        assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118


def test_a_listed_origin_reads_answers_and_errors(make: Make) -> None:
    site = make(api_origins=f"{APP}, http://localhost:3000")
    ann = site.as_user("ann")
    path = f"/assets/{site.published().id}"
    for answer in (ann.get(path, headers={"Origin": APP}), ann.get("/nowhere", headers={"Origin": APP})):
        headers = answer.headers
        assert headers["Access-Control-Allow-Origin"] == APP
        assert "Access-Control-Allow-Credentials" not in headers
        assert "Origin" in headers["Vary"]
        exposed = {name.strip() for name in headers["Access-Control-Expose-Headers"].split(",")}
        assert {"ETag", "Location", "Retry-After", "RateLimit", "X-Request-Id"} <= exposed
    answer = preflight(site, f"/api/v1{path}")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "idempotency-key", "if-match", "content-digest"} <= allowed
    assert int(answer.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{APP}.evil.example", "http://app.example", f"{APP}:444", "null", ""]
)
def test_no_other_origin_does(make: Make, origin: str) -> None:
    site = make(api_origins=APP)
    for answer in (preflight(site, "/api/v1/assets", origin), site.client.get("/api/v1/x", headers={"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_any_origin_is_said_by_a_star_and_cookies_stay_out(make: Make) -> None:
    site = make(api_origins="*")
    answer = site.as_user("ann").get("/assets", headers={"Origin": APP})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_the_page_itself_is_not_shared(make: Make) -> None:
    answer = make(api_origins="*").client.get("/", headers={"Origin": APP})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origins", ["app.example", "https://app.example/path", "https://a.example,*"])
def test_what_is_no_origin_stops_the_start(make: Make, origins: str) -> None:
    with pytest.raises(ConfigurationError, match="MEDIAFLOW_API_ORIGINS"):
        make(api_origins=origins)


# --- which host we are

BAD_HOSTS = (
    "evil.example/x",
    "a b",
    "evil.example:80:80",
    "user@evil.example",
    'a"><script>',
    "",
    "a,b",
    "a\x00b",
    "evil:0",
    "evil:99999",
)


def own_link(answer: TestResponse) -> str:
    link: str = answer.get_json()["links"]["self"]
    return link


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_links_are_never_made_of_what_is_no_host(site: Site, ann: Api, host: str) -> None:
    is_problem(ann.get("/assets", headers={"Host": host}), 400, "request.host")


@pytest.mark.parametrize("host", [*BAD_HOSTS, "evil.example"])
def test_with_a_public_url_nothing_else_makes_links(make: Make, host: str) -> None:
    site = make(public_url="https://media.example/tv", trusted_proxies="1")
    headers = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    answer = site.as_user("ann").get(f"/assets/{site.published().id}", headers=headers)
    assert own_link(answer).startswith("https://media.example/tv/api/v1/assets/")
    code = site.world.runtime.login_codes.create("ann", "user", 60)
    assert site.client.get(f"/login/{code}", headers=headers).headers["Location"] == "https://media.example/tv/"


def test_a_public_url_that_is_none_stops_the_start(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="MEDIAFLOW_PUBLIC_URL"):
        make(public_url="https://media.example?x=1")


# --- proxies

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "media.example",
}


@pytest.mark.parametrize(
    ("hops", "address", "link"),
    [
        ("0", "127.0.0.1", "http://localhost/api/v1/assets/"),
        ("1", "198.51.100.7", "https://media.example/api/v1/assets/"),
        ("2", "203.0.113.9", "http://localhost/api/v1/assets/"),  # one host and one protocol came over two hops
        ("3", "127.0.0.1", "http://localhost/api/v1/assets/"),
    ],
)
def test_as_many_proxies_are_believed_as_there_are(make: Make, hops: str, address: str, link: str) -> None:
    site = make(trusted_proxies=hops)
    asset = site.published()
    answer = site.as_user("ann").call("PATCH", f"/assets/{asset.id}", json={"title": "New"}, headers=FORWARDED)
    assert own_link(answer).startswith(link)
    (entry,) = site.world.runtime.database.audit.find({})
    assert entry.address == address


def test_nobody_gets_around_the_limit_by_inventing_addresses(make: Make) -> None:
    site = make(login_failures_per_minute="2", trusted_proxies="1")
    statuses = [
        site.client.get(
            "/api/v1/assets",
            headers={"Authorization": "Bearer a.b.c", "X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7"},
        ).status_code
        for number in range(6)
    ]
    assert statuses.count(401) <= 4  # two a minute, and the minute may end in between
    assert 429 in statuses
