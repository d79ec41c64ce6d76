"""The public view: what everyone may know of an asset that is public or unlisted, and not a word more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.domain.publication import Output
from tests.api.site import Api, Site, is_problem
from tests.services.records import PUBLICATION, a_published_asset

CAPTION = {"language": "en", "label": "English", "default": False, "path": "captions/en.1.vtt", "size_bytes": 9}
PUBLIC = {
    *("id", "title", "description", "tags", "visibility", "state", "playable", "duration_seconds", "created_at"),
    *("thumbnail_url", "captions"),
}


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_strangers_get_the_public_view_and_owner_and_shared_users_all_of_it(
    site: Site, ann: Api, bob: Api, admin: Api, stranger: Api, visibility: str
) -> None:
    asset = site.published(visibility=visibility, shared_with=["carol"], filename="private name.mov", tags=["sea"])

    views = {name: api.get(f"/assets/{asset.id}") for name, api in {"bob": bob, "nobody": stranger}.items()}
    whole = {name: api.get(f"/assets/{asset.id}") for name, api in {"ann": ann, "root": admin}.items()}
    shared = site.as_user("carol").get(f"/assets/{asset.id}")

    for who, answer in views.items():
        assert answer.status_code == 200, who
        assert answer.get_json().keys() == PUBLIC, who
        assert (answer.get_json()["id"], answer.get_json()["tags"]) == (asset.id, ["sea"])
        assert "private name" not in answer.text
        assert "ETag" not in answer.headers, "it would be the one of another view"
    for who, answer in whole.items():
        assert answer.get_json().keys() > PUBLIC, who
        assert answer.get_json()["filename"] == "private name.mov", who
        assert "ETag" in answer.headers
    assert shared.get_json().keys() > PUBLIC
    assert shared.get_json()["filename"] is None
    for answer in (*views.values(), *whole.values(), shared):
        assert answer.headers["Cache-Control"] == "no-store"
        assert {"authorization", "cookie"} <= {name.lower() for name in answer.vary}


def test_its_picture_and_captions_are_there_for_whoever_asks(site: Site, stranger: Api) -> None:
    # some file that is there
    text = Output(str(CAPTION["language"]), "captions", "g1/thumbnail.1/thumbnail.jpg", "text/vtt")
    usual = replace(PUBLICATION, outputs=(*PUBLICATION.outputs, text))
    asset = site.published(visibility="public", captions=[CAPTION], published=usual)

    view = stranger.get(f"/assets/{asset.id}").get_json()

    (caption,) = view["captions"]
    for url in (view["thumbnail_url"], caption["url"]):
        assert site.client.get(url.removeprefix("http://localhost")).status_code == 200


def test_what_is_private_is_no_different_from_what_is_not_there(site: Site, bob: Api, stranger: Api) -> None:
    hidden = [site.published(visibility="private").id, new_id()]
    deleted = replace(a_published_asset(visibility="public"), deleted_at=1.8e9, purge_at=4e9)
    site.world.runtime.database.assets.insert(deleted)

    for api, status in ((bob, 404), (stranger, 401)):
        said = {is_problem(api.get(f"/assets/{asset_id}"), status)["detail"] for asset_id in (*hidden, deleted.id)}
        assert len(said) == 1
    wrong = site.client.get(f"/api/v1/assets/{hidden[0]}", headers={"Authorization": "Bearer none"})
    assert wrong.status_code == 401


def test_a_wrong_token_is_refused_though_none_is_needed(site: Site) -> None:
    asset = site.published(visibility="public")

    answer = site.client.get(f"/api/v1/assets/{asset.id}", headers={"Authorization": "Bearer none"})

    is_problem(answer, 401)


def test_the_document_tells_the_two_views_apart(site: Site) -> None:
    document = site.client.get("/api/v1/openapi.json").get_json()
    answer = document["paths"]["/api/v1/assets/{asset_id}"]["get"]["responses"]["200"]

    names = [choice["$ref"].rpartition("/")[2] for choice in answer["content"]["application/json"]["schema"]["oneOf"]]
    assert names == ["Asset", "PublicAsset"]
    view = document["components"]["schemas"]["PublicAsset"]
    assert set(view["required"]) == view["properties"].keys() == PUBLIC
    assert view["additionalProperties"] is False
