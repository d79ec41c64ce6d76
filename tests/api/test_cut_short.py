"""A body of which only a part arrived is no body, however well the part reads."""

from __future__ import annotations

import pytest

from tests.api.site import Api, Site, is_problem

VTT = b"WEBVTT\n\n00:00.000 --> 00:01.000\nonly the first part of a long"


@pytest.mark.parametrize(
    ("method", "path", "kind", "part"),
    [
        ("PATCH", "", "application/json", b'{"title": "half"}'),
        ("PUT", "/captions/nl", "text/vtt", VTT),
    ],
)
def test_a_body_that_is_cut_short_is_refused(
    site: Site, ann: Api, method: str, path: str, kind: str, part: bytes
) -> None:
    # given an asset, and a connection that ends after a part of the body
    asset = site.published(title="whole")
    announced = {"CONTENT_LENGTH": "500"}

    answer = ann.call(method, f"/assets/{asset.id}{path}", data=part, content_type=kind, environ_overrides=announced)

    is_problem(answer, 400, "request.malformed")
    document = ann.get(f"/assets/{asset.id}").get_json()
    assert (document["title"], document["captions"]) == ("whole", [])
