"""Identifiers and storage keys: ours alone, whatever a client says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaflow.domain import keys
from mediaflow.domain.errors import InvalidInput
from mediaflow.domain.ids import derived_id, is_id, job_id, new_id, task_id


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_owner_and_content_give_a_key_that_every_storage_takes(owner: str, name: str) -> None:
    try:
        owner.encode()
    except UnicodeEncodeError:
        return
    key = keys.original_key(owner[:60] or "x", "0" * 64)
    assert keys.checked_key(key) == key
    assert ".." not in key


@pytest.mark.parametrize(
    "key", ["", "/", "a//b", "../a", "a/../b", "a/.b", "a\\b", "a b", "a\nb", "a/", "/a", "x" * 901]
)
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidInput):
        keys.checked_key(key)


def test_an_attempt_has_a_path_of_its_own_in_its_generation() -> None:
    path = keys.attempt_path(3, "video-0", 2)
    assert path == "g3/video-0.2"
    assert keys.generation_of(f"{path}/1080p/00000.m4s") == 3


@pytest.mark.parametrize("path", ["", "g0/x", "g1", "x/g1/y", "g01/x", "g-1/x", "g99999999999/x"])
def test_other_paths_belong_to_no_generation(path: str) -> None:
    assert keys.generation_of(path) is None


def test_derived_ids_are_the_same_for_the_same_parts_and_differ_otherwise() -> None:
    assert derived_id("a", "bc") == derived_id("a", "bc")
    assert derived_id("a", "bc") != derived_id("ab", "c")
    assert is_id(new_id())
    assert is_id(task_id(job_id(new_id(), 1), "probe"))
    assert not is_id(new_id().upper())
