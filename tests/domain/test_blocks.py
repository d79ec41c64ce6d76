"""`mediaflow.plugin.exact_blocks`, on which storages rely."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mediaflow.plugin import InvalidInput, exact_blocks


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [([], []), ([b""], []), ([b"ab"], [b"ab"]), ([b"", b"a", b"", b"bc", b""], [b"a", b"bc"])],
)
def test_blocks_pass_as_they_are_without_empty_ones(blocks: list[bytes], expected: list[bytes]) -> None:
    assert list(exact_blocks(blocks, len(b"".join(blocks)))) == expected


@pytest.mark.parametrize(("length", "blocks"), [(1, []), (3, [b"ab"]), (1, [b"ab"]), (2, [b"ab", b"c"]), (0, [b"a"])])
def test_another_length_is_refused_before_the_last_byte_goes_out(length: int, blocks: list[bytes]) -> None:
    passed: list[bytes] = []
    with pytest.raises(InvalidInput) as caught:
        passed.extend(exact_blocks(blocks, length))
    assert caught.value.code == "storage.wrong_length"
    assert len(b"".join(passed)) < max(length, 1)


def test_an_error_at_the_very_end_comes_before_the_last_block() -> None:
    def body() -> Iterator[bytes]:
        yield b"ab"
        yield b"cd"
        raise ValueError("wrong digest")

    passed: list[bytes] = []
    with pytest.raises(ValueError, match="wrong digest"):
        passed.extend(exact_blocks(body(), 4))
    assert passed == [b"ab"]


def test_an_endless_body_is_not_read_to_its_end() -> None:
    def body() -> Iterator[bytes]:
        while True:
            yield b"0123456789"

    with pytest.raises(InvalidInput):
        list(exact_blocks(body(), 100))
