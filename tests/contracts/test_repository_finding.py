"""The contract of `mediaflow.services.ports.Database`: what is found, in which order, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset, Chunk
from mediaflow.services.ports import (
    After,
    Below,
    Between,
    Contains,
    Database,
    HasPrefixes,
    OneOf,
    Repository,
    Sum,
)
from tests.contracts.recordkinds import asset, make


class TestFindAndCount:
    @pytest.fixture
    def assets(self, database: Database) -> Repository[Asset]:
        rows: list[tuple[str, str, float, list[str], float | None, int]] = [
            ("a", "ann", 1.0, ["cat", "Zoë"], None, 10),
            ("b", "ann", 3.0, ["dog"], None, 30),
            ("c", "ann", 3.0, [], 9.5, 20),
            ("d", "bob", 2.0, ["cat"], None, 40),
            ("e", "bob", 4.0, ["Cat", "cats"], None, 50),
        ]
        for name, owner, created_at, tags, deleted_at, size in rows:
            database.assets.insert(
                asset(
                    id=name,
                    owner=owner,
                    created_at=created_at,
                    tags=tags,
                    deleted_at=deleted_at,
                    size_bytes=size,
                    state="ready" if size > 20 else "failed",
                    playable=size > 30,
                )
            )
        return database.assets

    @pytest.mark.parametrize(
        ("where", "ids"),
        [
            ({}, "abcde"),
            ({"owner": "ann"}, "abc"),
            ({"owner": "eve"}, ""),
            ({"owner": "ann", "deleted_at": None}, "ab"),
            ({"deleted_at": Below(10)}, "c"),
            ({"tags": Contains("cat")}, "ad"),
            ({"tags": Contains("Zoë")}, "a"),
            ({"tags": Contains("")}, ""),
            ({"owner": "bob", "tags": Contains("cat")}, "d"),
            ({"id": OneOf(("a", "e", "z"))}, "ae"),
            ({"id": OneOf(())}, ""),
            ({"id": "d"}, "d"),
            ({"id": After("")}, "abcde"),
            ({"id": After("c")}, "de"),
            ({"id": After("e")}, ""),
            ({"owner": After("ann"), "id": After("d")}, "e"),
            ({"state": OneOf(("ready", "failed"))}, "abcde"),
            ({"state": OneOf(("ready",)), "owner": OneOf(("ann", "bob"))}, "bde"),
            ({"deleted_at": OneOf((None, 9.5)), "owner": "ann"}, "abc"),
            ({"playable": True}, "de"),
            ({"playable": OneOf((False,))}, "abc"),
            ({"size_bytes": Below(30), "created_at": Below(3)}, "a"),
            ({"size_bytes": OneOf((10, 50))}, "ae"),
            ({"created_at": 3}, "bc"),
            ({"created_at": Between(2, 4)}, "bcd"),
            ({"created_at": Between(least=3)}, "bce"),
            ({"created_at": Between(below=2.5)}, "ad"),
            ({"created_at": Between(3, 3)}, ""),
            ({"created_at": Between()}, "abcde"),
            ({"deleted_at": Between()}, "c"),
            ({"deleted_at": Between(below=1e12)}, "c"),
            ({"deleted_at": Between(least=10)}, ""),
            ({"owner": "ann", "deleted_at": None, "size_bytes": Between(11, 31)}, "b"),
            ({"tags": HasPrefixes(("cat",))}, "ade"),
            ({"tags": HasPrefixes(("ca", "Ca"))}, "e"),
            ({"tags": HasPrefixes(("Zo", "cat"))}, "a"),
            ({"tags": HasPrefixes(("Zoë",))}, "a"),
            ({"tags": HasPrefixes(("cat", "dog"))}, ""),
            ({"tags": HasPrefixes(("cats",))}, "e"),
            ({"tags": HasPrefixes(("catsx",))}, ""),
            ({"tags": HasPrefixes(())}, "abcde"),
            ({"tags": HasPrefixes(("",))}, "abde"),
            ({"tags": HasPrefixes(("%",))}, ""),
            ({"owner": "ann", "tags": HasPrefixes(("c",)), "deleted_at": None}, "a"),
        ],
    )
    def test_it_finds_and_counts_what_meets_every_condition(
        self, assets: Repository[Asset], where: Mapping[str, Any], ids: str
    ) -> None:
        assert [found.id for found in assets.find(where)] == list(ids)
        assert assets.count(where) == len(ids)

    @pytest.mark.parametrize(
        ("sort", "ids"),
        [
            (("id",), "abcde"),
            (("-id",), "edcba"),
            (("created_at", "id"), "adbce"),
            (("-created_at", "id"), "ebcda"),
            (("-created_at", "-id"), "ecbda"),
            (("owner", "-created_at", "-size_bytes"), "bcaed"),
            (("deleted_at", "-size_bytes"), "edbac"),
            (("-deleted_at", "size_bytes"), "cabde"),
            (("playable", "id"), "abcde"),
            (("-state", "-id"), "edbca"),
        ],
    )
    def test_it_sorts_by_each_field_in_turn_and_none_comes_before_values(
        self, assets: Repository[Asset], sort: tuple[str, ...], ids: str
    ) -> None:
        assert [found.id for found in assets.find({}, sort=sort)] == list(ids)

    @pytest.mark.parametrize(
        ("skip", "limit", "ids"),
        [(0, 2, "ec"), (2, 2, "bd"), (4, 2, "a"), (5, 2, ""), (1, None, "cbda"), (0, 0, ""), (0, 100, "ecbda")],
    )
    def test_it_skips_and_limits_after_sorting(
        self, assets: Repository[Asset], skip: int, limit: int | None, ids: str
    ) -> None:
        found = assets.find({}, sort=("-created_at", "-id"), skip=skip, limit=limit)
        assert [each.id for each in found] == list(ids)

    @pytest.mark.parametrize("sort", [("name",), ("tags",), ("id; DROP TABLE assets",)])
    def test_sorting_by_what_has_no_order_is_an_error(self, assets: Repository[Asset], sort: tuple[str, ...]) -> None:
        with pytest.raises(ValueError, match=r"field|sorted"):
            assets.find({}, sort=sort)

    @pytest.mark.parametrize(
        "element", ["a\U0001f600b", "a\uffff\U0010ffff", "\U0010ffff\U0010ffff", "\ud7ff!", "'\"%_*"]
    )
    def test_a_prefix_is_any_text(self, database: Database, element: str) -> None:
        database.assets.insert(asset(id="a", tags=["other", element]))
        for length in range(1, len(element) + 1):
            assert database.assets.count({"tags": HasPrefixes((element[:length],))}) == 1
        assert database.assets.count({"tags": HasPrefixes((element + "a",))}) == 0

    @pytest.mark.parametrize(
        ("field", "where", "total"),
        [
            ("size_bytes", {}, 150),
            ("size_bytes", {"owner": "ann"}, 60),
            ("size_bytes", {"owner": "ann", "deleted_at": None, "tags": Contains("cat")}, 10),
            ("size_bytes", {"owner": "eve"}, 0),
            ("created_at", {"owner": "ann"}, 7.0),
            ("deleted_at", {}, 9.5),
            ("deleted_at", {"owner": "bob"}, 0),
        ],
    )
    def test_it_adds_up_a_field(
        self, assets: Repository[Asset], field: str, where: Mapping[str, Any], total: float
    ) -> None:
        assert assets.total(field, where) == total

    @pytest.mark.parametrize(
        ("field", "by", "where"),
        [
            ("size_bytes", "owner", {}),
            ("size_bytes", "owner", {"owner": OneOf(("ann", "eve"))}),
            ("deleted_at", "owner", {"deleted_at": Between(None, None)}),
            ("deleted_at", "owner", {"owner": "bob"}),
            ("size_bytes", "sha256", {}),
        ],
    )
    def test_it_adds_up_a_field_for_each_value_of_another(
        self, assets: Repository[Asset], field: str, by: str, where: Mapping[str, Any]
    ) -> None:
        expected = {
            value: Sum(assets.total(field, {**where, by: value}), assets.count({**where, by: value}))
            for value in assets.distinct(by, where)
        }
        assert assets.sums(field, by, where) == expected
        assert expected or by != "owner"
        with pytest.raises(TypeError, match="title"):
            assets.sums("title", by, where)
        with pytest.raises(TypeError, match="size_bytes"):
            assets.sums(field, "size_bytes", where)

    @pytest.mark.parametrize("field", ["title", "tags", "playable"])
    def test_what_is_no_number_is_not_added_up(self, assets: Repository[Asset], field: str) -> None:
        with pytest.raises(TypeError, match=field):
            assets.total(field, {})
        with pytest.raises(ValueError, match="no field"):
            assets.total("size", {})

    @pytest.mark.parametrize(
        ("field", "where", "values"),
        [
            ("owner", {}, {"ann", "bob"}),
            ("owner", {"owner": "eve"}, set()),
            ("sha256", {}, None),
        ],
    )
    def test_it_tells_the_different_values_of_a_field(
        self, assets: Repository[Asset], field: str, where: Mapping[str, Any], values: set[str] | None
    ) -> None:
        found = assets.distinct(field, where)
        known = {getattr(record, field) for record in assets.find(where)} - {None}
        assert sorted(found) == sorted(known if values is None else values)

    def test_only_texts_have_different_values_to_tell(self, assets: Repository[Asset]) -> None:
        with pytest.raises(TypeError, match="size_bytes"):
            assets.distinct("size_bytes", {})

    def test_it_peeks_at_some_fields(self, assets: Repository[Asset]) -> None:
        peeked = assets.peek("c", ("owner", "rev", "deleted_at", "tags", "playable", "media", "id"))
        assert peeked == {
            "owner": "ann",
            "rev": 1,
            "deleted_at": 9.5,
            "tags": [],
            "playable": False,
            "media": None,
            "id": "c",
        }
        assert assets.peek("a", ("tags",)) == {"tags": ["cat", "Zoë"]}
        assert assets.peek("z", ("owner",)) is None
        with pytest.raises(ValueError, match="no field"):
            assets.peek("a", ("owner; DROP TABLE assets",))

    def test_many_records_are_found_whole(self, database: Database) -> None:
        upload = new_id()
        for index in range(250):
            database.chunks.insert(make(Chunk, upload_id=upload, index=index))
        found = database.chunks.find({"upload_id": upload}, sort=("index",))
        assert [chunk.index for chunk in found] == list(range(250))
