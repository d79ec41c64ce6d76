"""Which assets are listed for whom, in which order, and how many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import Forbidden, InvalidInput
from mediaflow.domain.records import Asset
from mediaflow.domain.states import ASSET_STATES
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.listing import AssetQuery, Listing, Totals
from mediaflow.services.ports import Database
from mediaflow.services.uploads.acceptance import NewUpload
from tests.services.records import CREATED, a_published_asset, an_asset
from tests.services.world import editing_of, make_world

ANN, BOB, ADMIN = Principal("ann", "user"), Principal("bob", "user"), Principal("root", "admin")


@pytest.fixture
def listing(database: Database) -> Listing:
    return Listing(database)


def kept(listing: Listing, *assets: Asset) -> None:
    for asset in assets:
        assert listing.database.assets.insert(asset)


def titles(listing: Listing, principal: Principal = ANN, **query: Any) -> list[str]:
    return [asset.title for asset in listing.assets(principal, AssetQuery(**query)).items]


def test_everyone_sees_their_own_and_an_admin_everybodys(listing: Listing) -> None:
    kept(listing, an_asset(title="ann's"), an_asset(title="bob's", owner="bob", visibility="public"))
    assert titles(listing, ANN) == ["ann's"]
    assert titles(listing, BOB) == ["bob's"]
    assert sorted(titles(listing, ADMIN)) == ["ann's", "bob's"]


def test_an_admin_names_an_owner_others_only_themselves(listing: Listing) -> None:
    kept(listing, an_asset(title="ann's"), an_asset(title="bob's", owner="bob"))
    assert titles(listing, ADMIN, owner="bob") == titles(listing, BOB, owner="bob") == ["bob's"]
    assert titles(listing, ADMIN, owner="eve") == []
    for ask in (
        lambda: listing.assets(ANN, AssetQuery(owner="bob")),
        lambda: listing.assets(ANN, AssetQuery(owner="bob", deleted=True)),
        lambda: listing.totals(ANN, "bob"),
    ):
        with pytest.raises(Forbidden) as caught:
            ask()
        assert caught.value.code == "auth.forbidden"


def test_pages_divide_what_there_is(listing: Listing) -> None:
    kept(listing, *(an_asset(title=f"{n}", created_at=CREATED + n) for n in range(5)))
    pages = [listing.assets(ANN, AssetQuery(page=page, page_size=2)) for page in (1, 2, 3, 4)]
    assert [[asset.title for asset in page.items] for page in pages] == [["4", "3"], ["2", "1"], ["0"], []]
    assert {(page.total, page.pages) for page in pages} == {(5, 3)}


@pytest.mark.parametrize("sort", ["created_at", "-title", "state", "-size_bytes"])
def test_pages_divide_what_is_all_the_same(listing: Listing, sort: str) -> None:
    assets = [an_asset() for _ in range(23)]
    kept(listing, *assets)
    pages = [listing.assets(ANN, AssetQuery(page=page, page_size=5, sort=sort)) for page in range(1, 6)]
    listed = [asset.id for page in pages for asset in page.items]
    assert sorted(listed) == sorted(asset.id for asset in assets)


def test_a_listing_without_anything_has_no_pages(listing: Listing) -> None:
    page = listing.assets(ANN, AssetQuery())
    assert (page.items, page.total, page.pages) == ([], 0, 0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "ready"}, ["Whale song"]),
        ({"visibility": "unlisted"}, ["whale watching"]),
        ({"tag": "sea"}, ["Whale song", "whale watching"]),
        ({"tag": "se"}, []),
        ({"tag": "Sea"}, []),
        ({"q": "WHALE"}, ["Whale song", "whale watching"]),
        ({"q": "sea whale"}, ["Whale song", "whale watching"]),
        ({"q": "hump"}, ["whale watching"]),
        ({"q": "umpback"}, []),
        ({"q": "whale", "state": "ready"}, ["Whale song"]),
        ({"q": "whale", "tag": "boat", "visibility": "unlisted", "sort": "title"}, ["whale watching"]),
        ({"q": "%"}, []),
        ({"q": ""}, ["Whale song", "whale watching", "dogs"]),
        ({"deleted": True}, ["gone whale"]),
        ({"deleted": True, "q": "whale"}, ["gone whale"]),
        ({"deleted": True, "q": "song"}, []),
        ({"sort": "title"}, ["Whale song", "dogs", "whale watching"]),
        ({"sort": "-size_bytes"}, ["dogs", "whale watching", "Whale song"]),
        ({"created_after": CREATED + 2}, ["Whale song", "whale watching"]),
        ({"created_before": CREATED + 2}, ["dogs"]),
        ({"created_after": CREATED + 2, "created_before": CREATED + 2.5}, ["whale watching"]),
        ({"created_after": CREATED + 2, "created_before": CREATED + 2}, []),
        ({"created_after": CREATED + 2, "q": "song"}, ["Whale song"]),
    ],
)
def test_a_listing_is_filtered_and_sorted(listing: Listing, query: dict[str, Any], expected: list[str]) -> None:
    kept(
        listing,
        a_published_asset(title="Whale song", tags=["sea"], size_bytes=1, created_at=CREATED + 3),
        an_asset(
            title="whale watching",
            description="A humpback",
            tags=["sea", "boat"],
            visibility="unlisted",
            size_bytes=2,
            created_at=CREATED + 2,
        ),
        an_asset(title="dogs", size_bytes=3, created_at=CREATED + 1),
        an_asset(title="gone whale", deleted_at=CREATED),
        an_asset(title="being purged", deleted_at=CREATED, purging=True),
        an_asset(title="bob's whale", owner="bob", visibility="public", tags=["sea"]),
    )
    assert titles(listing, **query) == expected


def test_what_is_shared_with_me_is_listed_apart(listing: Listing) -> None:
    kept(
        listing,
        an_asset(title="mine", shared_with=["bob"]),
        an_asset(title="bob's", owner="bob", shared_with=["eve", "ann"], created_at=CREATED + 1),
        an_asset(title="eve's", owner="eve", shared_with=["ann"], visibility="public"),
        an_asset(title="gone", owner="eve", shared_with=["ann"], deleted_at=CREATED),
        an_asset(title="not for ann", owner="eve", shared_with=["anna", "an"]),
    )
    assert titles(listing, ANN) == ["mine"]
    assert titles(listing, ANN, shared=True) == ["bob's", "eve's"]
    assert titles(listing, ANN, shared=True, owner="eve") == ["eve's"]
    assert titles(listing, ANN, shared=True, q="bob") == ["bob's"]
    assert titles(listing, ADMIN, shared=True) == []
    with pytest.raises(InvalidInput) as caught:
        listing.assets(ANN, AssetQuery(shared=True, deleted=True))
    assert caught.value.problems[0].pointer == "/deleted"


def test_a_query_of_too_many_words_is_refused(listing: Listing) -> None:
    assert titles(listing, q=" ".join(f"w{n}" for n in range(10, 22))) == []
    with pytest.raises(InvalidInput, match="12 words, not 13") as caught:
        listing.assets(ANN, AssetQuery(q=" ".join(f"w{n}" for n in range(10, 23))))
    assert caught.value.problems[0].pointer == "/q"


def test_what_is_announced_and_edited_is_found_by_its_new_words(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    listing, editing = world.runtime.listing, editing_of(world.runtime.database)
    new = NewUpload(filename="IMG_0815.mov", size_bytes=5, title="Summer Fête", description="At sea", tags=("bo at",))
    asset_id = world.runtime.ingest.announce("ann", new)[0].asset_id
    for words in ("summer", "fete", "sea", "at bo"):
        assert [each.id for each in listing.assets(ANN, AssetQuery(q=words)).items] == [asset_id]
    assert titles(listing, q="IMG") == []
    editing.change(ANN, asset_id, {"title": "Winter"})
    assert (titles(listing, q="winter sea"), titles(listing, q="summer")) == (["Winter"], [])
    editing.change(ANN, asset_id, {"description": "In the snow", "tags": []})
    assert (titles(listing, q="winter snow"), titles(listing, q="sea"), titles(listing, q="bo")) == (["Winter"], [], [])
    editing.change(ANN, asset_id, {"visibility": "public"})
    assert titles(listing, q="winter", visibility="public") == ["Winter"]
    nameless = NewUpload(filename="IMG_0816.mov", size_bytes=5)
    world.runtime.ingest.announce("ann", nameless)
    assert titles(listing, q="img 08") == ["IMG_0816"]
    world.runtime.close()


def test_totals_tell_every_state(listing: Listing) -> None:
    kept(
        listing,
        *(an_asset(state="ready", size_bytes=n) for n in (1, 10, 100)),
        an_asset(state="failed", size_bytes=1_000),
        an_asset(state="ready", deleted_at=CREATED, size_bytes=10_000),
        an_asset(state="ready", deleted_at=CREATED, purging=True),
        an_asset(owner="bob", state="processing", size_bytes=100_000, shared_with=["ann"]),
    )
    none: dict[Any, int] = dict.fromkeys(ASSET_STATES, 0)
    anns = Totals(none | {"ready": 3, "failed": 1}, 1, 1_111)
    assert listing.totals(ANN) == listing.totals(ANN, "ann") == listing.totals(ADMIN, "ann") == anns
    assert anns.total == 4
    assert listing.totals(ADMIN) == Totals(none | {"ready": 3, "failed": 1, "processing": 1}, 1, 101_111)
    assert listing.totals(ADMIN, "eve") == Totals(none, 0, 0)
