"""Each field that can be changed: the change is taken, it is told, and it does what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mediaflow.api.schemas.assets import AssetPatchBody
from tests.api.site import MASTER, Api, Site

Effect = Callable[[Site, str], bool]


def found_by(query: str) -> Effect:
    """The owner's listing with that query has the asset."""

    def effect(site: Site, asset_id: str) -> bool:
        items = site.as_user("ann").get(f"/assets?{query}").get_json()["items"]
        return asset_id in [item["id"] for item in items]

    return effect


def plays_for_strangers(site: Site, asset_id: str) -> bool:
    """A stranger gets playback addresses, and the manifest behind them."""
    answer = Api(site.client).call("POST", f"/assets/{asset_id}/playback")
    if answer.status_code != 200:
        assert answer.status_code == 404
        return False
    token = answer.get_json()["token"]
    return site.client.get(f"/stream/{token}/{asset_id}/{MASTER}").status_code == 200


def old_links_still_play(site: Site, asset_id: str) -> bool:
    """A stream token from before the change opens the manifest."""
    asset = site.world.runtime.database.assets.get(asset_id)
    assert asset is not None
    before = replace(asset, acl_epoch=1)
    token = site.world.runtime.stream_tokens.mint(before)[0]
    return site.client.get(f"/stream/{token}/{asset_id}/{MASTER}").status_code == 200


CASES: list[tuple[str, Any, Any, Effect]] = [
    ("title", "First cut", "Harvest festival", found_by("q=harvest")),
    ("description", "", "The baker's speech\nand the band", found_by("q=baker")),
    ("tags", ["old"], ["village", "2026"], found_by("tag=village")),
    ("visibility", "private", "unlisted", found_by("visibility=unlisted")),
    ("visibility", "private", "unlisted", plays_for_strangers),
    ("visibility", "private", "public", plays_for_strangers),
    ("visibility", "unlisted", "public", found_by("visibility=public")),
]


@pytest.mark.parametrize(("name", "before", "after", "effect"), CASES)
def test_a_change_is_told_and_has_its_effect(
    site: Site, ann: Api, name: str, before: Any, after: Any, effect: Effect
) -> None:
    # given an asset without the effect
    asset = site.published(**{name: before})
    assert not effect(site, asset.id)
    tag = ann.get(f"/assets/{asset.id}").headers["ETag"]
    # when the field is changed
    changed = ann.call("PATCH", f"/assets/{asset.id}", json={name: after})
    # then that is told at once and later, under a new revision, and has its effect
    assert (changed.status_code, changed.get_json()[name]) == (200, after)
    read = ann.get(f"/assets/{asset.id}")
    assert read.get_json()[name] == after
    assert read.headers["ETag"] == changed.headers["ETag"] != tag
    assert effect(site, asset.id)
    # and taking it back takes the effect back
    assert ann.call("PATCH", f"/assets/{asset.id}", json={name: before}).status_code == 200
    assert not effect(site, asset.id)


@pytest.mark.parametrize("after", ["private", "unlisted"])
def test_a_change_of_visibility_ends_the_links_that_were_given_out(site: Site, ann: Api, after: str) -> None:
    asset = site.published(visibility="public")
    assert old_links_still_play(site, asset.id)
    assert ann.call("PATCH", f"/assets/{asset.id}", json={"visibility": after}).status_code == 200
    assert not old_links_still_play(site, asset.id)


def test_every_field_that_can_be_changed_is_tested() -> None:
    assert {name for name, *_ in CASES} == AssetPatchBody().fields.keys()
