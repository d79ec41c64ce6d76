"""The OpenAPI document: valid, complete, and true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from apispec import APISpec
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.site import Site

METHODS = ("get", "put", "post", "patch", "delete")


@pytest.fixture
def document(site: Site) -> dict[str, Any]:
    answer = site.client.get("/api/v1/openapi.json")
    assert answer.mimetype == "application/json"
    content: dict[str, Any] = answer.get_json()
    return content


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_it_is_rendered_once_and_has_a_tag(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.client.get("/api/v1/openapi.json")
    page = site.client.get("/api/v1/docs")

    def rendered(_: APISpec) -> NoReturn:
        raise AssertionError("rendered again")

    monkeypatch.setattr(APISpec, "to_dict", rendered)
    again = site.client.get("/api/v1/openapi.json")
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])
    assert again.headers["Cache-Control"] == "no-cache"
    known = site.client.get("/api/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")
    assert site.client.get("/api/v1/docs").data == page.data


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    names: list[str] = []
    for name, operation in operations(document):
        assert operation.get("summary", "").endswith("."), name
        assert any(status.startswith("2") or status == "303" for status in operation["responses"]), name
        failures = [status for status in operation["responses"] if status[0] in "45"]
        assert failures, name
        for status in failures:
            reference = operation["responses"][status]["$ref"].rpartition("/")[2]
            content = document["components"]["responses"][reference]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert "security" in operation, name
        names.append(operation["operationId"])
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "operation",
    [
        "POST /api/v1/uploads",
        "PUT /api/v1/uploads/{upload_id}/chunks/{index}",
        "GET /api/v1/uploads/{upload_id}",
        "POST /api/v1/uploads/{upload_id}/complete",
        "DELETE /api/v1/uploads/{upload_id}",
        "GET /api/v1/assets",
        "GET /api/v1/assets/{asset_id}",
        "PATCH /api/v1/assets/{asset_id}",
        "DELETE /api/v1/assets/{asset_id}",
        "POST /api/v1/assets/{asset_id}/restore",
        "POST /api/v1/assets/{asset_id}/reprocess",
        "POST /api/v1/assets/bulk",
        "POST /api/v1/assets/{asset_id}/playback",
        "GET /api/v1/jobs",
        "GET /api/v1/jobs/{job_id}",
        "POST /api/v1/jobs/{job_id}/cancel",
        "POST /api/v1/jobs/{job_id}/retry",
        "GET /api/v1/profiles",
        "GET /api/v1/plugins",
        "GET /api/v1/webhooks",
        "POST /api/v1/webhooks",
        "GET /api/v1/webhooks/{webhook_id}",
        "PATCH /api/v1/webhooks/{webhook_id}",
        "DELETE /api/v1/webhooks/{webhook_id}",
        "GET /api/v1/session",
        "POST /api/v1/session",
        "DELETE /api/v1/session",
        "GET /login/{code}",
        "GET /stream/{token}/{asset_id}/{path}",
        "GET /livez",
        "GET /readyz",
    ],
)
def test_every_route_of_the_contract_is_in_it(document: dict[str, Any], operation: str) -> None:
    assert operation in dict(operations(document))


def test_everything_that_can_fail_for_want_of_a_token_says_so(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert ("401" in operation["responses"]) or operation["security"] == [], name


def test_ids_are_described_by_their_pattern(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/assets/{asset_id}"]["parameters"]
    assert [parameter["schema"]["pattern"] for parameter in parameters] == ["^[0-9a-f]{32}$"]


def test_the_docs_page_loads_from_here_only_and_lists_every_operation(site: Site, document: dict[str, Any]) -> None:
    answer = site.client.get("/api/v1/docs")
    assert answer.mimetype == "text/html"
    assert "https://" not in answer.text
    assert "http://" not in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    for name, _ in operations(document):
        assert name in answer.text
    script = site.client.get("/api/v1/docs/page.js")
    assert (script.status_code, script.mimetype) == (200, "text/javascript")
