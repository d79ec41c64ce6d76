"""A listing is what a plain filter over all assets would leave, in whatever way a database finds it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediaflow.domain.records import Asset
from mediaflow.domain.states import ASSET_STATES, VISIBILITIES
from mediaflow.persistence.sqlite import repository
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.listing import ASSET_SORTS, AssetQuery, Listing
from mediaflow.services.ports import Database
from tests.services.records import an_asset
from tests.services.world import editing_of

OWNERS = ("ann", "bob")
WORDS = ("Whale", "whales", "WHAT", "Zoë", "zone", "Été", "sea-side", "a", "ab", "100%")
TAGS = ("sea", "Sea", "sea side", "see", "%", "日本")
TIMES = (1.0, 2.0, 2.5, 1e9)

ids = st.uuids().map(lambda drawn: drawn.hex)
texts = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)
tags = st.lists(st.sampled_from(TAGS), max_size=3, unique=True)
assets = st.builds(
    an_asset,
    id=ids,
    upload_id=ids,
    owner=st.sampled_from(OWNERS),
    title=texts,
    description=texts,
    tags=tags,
    state=st.sampled_from(ASSET_STATES),
    visibility=st.sampled_from(VISIBILITIES),
    created_at=st.sampled_from(TIMES),
    updated_at=st.sampled_from(TIMES),
    size_bytes=st.integers(0, 3),
    deleted_at=st.none() | st.none() | st.sampled_from(TIMES),
    purging=st.booleans(),
    shared_with=st.lists(st.sampled_from(("ann", "bob", "root", "an")), max_size=2, unique=True),
)
populations = st.lists(assets, min_size=4, max_size=12, unique_by=(lambda each: each.id, lambda each: each.upload_id))
optional = {
    "q": st.lists(st.sampled_from([*WORDS, "wha", "z", "s", "x"]), min_size=1, max_size=2).map(" ".join),
    "tag": st.sampled_from(TAGS),
    "state": st.sampled_from(ASSET_STATES),
    "visibility": st.sampled_from(VISIBILITIES),
    "created_after": st.sampled_from(TIMES),
    "created_before": st.sampled_from(TIMES),
}
queries = st.builds(
    AssetQuery,
    page=st.integers(1, 3),
    page_size=st.integers(1, 5),
    sort=st.sampled_from([f"{sign}{name}" for name in ASSET_SORTS for sign in ("", "-")]),
    **{name: st.none() | st.none() | values for name, values in optional.items()},
)
KINDS: list[dict[str, Any]] = [{}, {"deleted": True}, {"shared": True}, {"owner": "ann"}]
kinds = st.sampled_from(KINDS)
principals = st.sampled_from([Principal("ann", "user"), Principal("root", "admin")])


def simple(text: str) -> list[str]:
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return re.findall("[a-z0-9]+", bare.lower())


def wanted(principal: Principal, query: AssetQuery, asset: Asset) -> bool:
    """The meaning of a query, said plainly."""
    mine = principal.is_admin or asset.owner == principal.user
    in_trash = asset.deleted_at is not None and not asset.purging
    words = simple(" ".join((asset.title, asset.description, *asset.tags)))
    return (
        (in_trash if query.deleted else asset.deleted_at is None)
        and (principal.user in asset.shared_with if query.shared else mine)
        and query.owner in (None, asset.owner)
        and query.tag in (None, *asset.tags)
        and query.state in (None, asset.state)
        and query.visibility in (None, asset.visibility)
        and (query.created_after is None or asset.created_at >= query.created_after)
        and (query.created_before is None or asset.created_at < query.created_before)
        and all(any(word.startswith(asked) for word in words) for asked in simple(query.q or ""))
    )


def page_of(assets: list[Asset], query: AssetQuery) -> list[Asset]:
    name = query.sort.removeprefix("-")
    assets.sort(key=lambda asset: (getattr(asset, name), asset.upload_id), reverse=query.sort.startswith("-"))
    return assets[(query.page - 1) * query.page_size :][: query.page_size]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_listing_is_a_plain_filter_over_all_assets(database: Database, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # so that SQLite goes both ways in so small a library
        patch.setattr(repository, "FREQUENT", 3)
        compare(database, data)


def compare(database: Database, data: st.DataObject) -> None:
    # given assets, of which some were changed and some removed since
    for found in database.assets.find({}):
        database.assets.remove(found.id)
    kept = {asset.id: asset for asset in data.draw(populations)}
    for asset in kept.values():
        database.assets.insert(asset)
    for asset_id in data.draw(st.lists(st.sampled_from(sorted(kept)), max_size=5, unique=True)):
        changed(database, kept, asset_id, data)
    # when
    for _ in range(8):
        principal, query = data.draw(principals), replace(data.draw(queries), **data.draw(kinds))
        page = Listing(database).assets(principal, query)
        # then
        matching = [asset for asset in kept.values() if wanted(principal, query, asset)]
        assert page.total == len(matching)
        assert page.items == page_of(matching, query)


def changed(database: Database, kept: dict[str, Asset], asset_id: str, data: st.DataObject) -> None:
    other: Any = data.draw(assets)
    if kept[asset_id].deleted_at is None and data.draw(st.booleans()):
        words = {name: getattr(other, name) for name in ("title", "description", "tags", "visibility")}
        kept[asset_id] = editing_of(database).change(Principal("root", "admin"), asset_id, words)
        return
    if data.draw(st.booleans()):
        assert database.assets.remove(asset_id)
        del kept[asset_id]
        return
    plain = ("owner", "state", "size_bytes", "deleted_at", "purging", "shared_with", "updated_at")
    after = database.assets.change(asset_id, {}, {name: getattr(other, name) for name in plain})
    assert after is not None
    kept[asset_id] = after
