"""Words of texts and of queries: what finds what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaflow.services.text.search import MAX_WORD_CHARACTERS, MAX_WORDS, prefixes_of, words_of


def found(query: str, text: str) -> bool:
    """As a database does it: each prefix begins a word."""
    words, prefixes = words_of(text, "", []), prefixes_of(query)
    return bool(prefixes) and all(any(word.startswith(prefix) for word in words) for prefix in prefixes)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("holiday", "Summer holiday 2024"),
        ("hol sum", "Summer holiday 2024"),
        ("HOLIDAY", "summer holiday"),
        ("20", "Summer holiday 2024"),
        ("ete", "Été à la mer"),
        ("été", "ete a la mer"),
        ("e\u0301te\u0301", "Été"),
        ("strasse", "Große Straße"),
        ("STRAẞE", "Große Straße"),
        ("istanbul", "İstanbul"),
        ("office", "The o\ufb03ce"),
        ("file", "\ufb01le"),
        ("ΜΆΪΟΣ", "μάϊος"),
        ("ёлка", "елка"),
        ("img_12", "IMG_1234.MOV"),
        ("IMG-1234", "IMG_1234.MOV"),
        ("don't", "Don't look up"),
        ("½", "1/2 of it"),
        ("\uff46\uff55\uff4c\uff4c", "full width"),
        ("日本", "日本語のテスト"),
        ("本語", "日本語のテスト"),
        ("語", "日本語のテスト"),
        ("テスト", "日本語のテスト"),
        ("ト", "日本語のテスト"),
        ("ﾃｽﾄ", "日本語のテスト"),
        ("東京2024", "東京 2024"),
        ("tokyo東京", "Tokyo東京タワー"),
        ("ภาษา", "ไทยภาษา"),
        ("한국", "한국어 영상"),
        ("हिन्दी", "हिन्दी फ़िल्म"),
        ("مرحبا", "مرحبا بالعالم"),
        ("𠮷野", "𠮷野家"),
        ("x" * 300, "x" * 200),
    ],
)
def test_it_is_found(query: str, text: str) -> None:
    assert found(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("oliday", "Summer holiday"),
        ("holidays", "Summer holiday"),
        ("winter holiday", "Summer holiday"),
        ("", "Summer holiday"),
        ("%", "100 % sure"),
        ("* ? .", "Summer holiday."),
        ("日語", "日本語"),
        ("カ", "ガ"),
        ("हिन्दु", "हिन्दी"),
    ],
)
def test_it_is_not_found(query: str, text: str) -> None:
    assert not found(query, text)


def test_words_are_told_once_with_those_of_title_and_tags_first() -> None:
    assert words_of("A whale, a Whale!", "Whales off Skye; blue sky.", ["Sea side", "whale"]) == [
        *("a", "whale", "sea", "side"),
        *("whales", "off", "skye", "blue", "sky"),
    ]


def test_a_query_is_its_longest_words() -> None:
    assert prefixes_of("wha whale w sea whale") == ["whale", "sea"]


def test_there_is_a_most_of_everything() -> None:
    words = words_of("title", " ".join(f"w{number}" for number in range(3_000)), [f"tag{n}" for n in range(50)])
    assert len(words) == MAX_WORDS
    assert words[:2] == ["title", "tag0"]
    assert {len(word) for word in words_of("x" * 5_000, "日" * 10_000, ["y" * 33])} == {1, 2, MAX_WORD_CHARACTERS}


@given(st.text())
def test_words_of_words_are_the_same_words(text: str) -> None:
    words = words_of(text, "", [])
    again = words_of(" ".join(words), "", [])
    assert set(again) <= set(words) | {word[-1] for word in words}


@given(st.lists(st.text(min_size=1, max_size=8), max_size=5), st.data())
def test_every_text_is_found_by_its_own_words_and_their_beginnings(texts: list[str], data: st.DataObject) -> None:
    words = words_of(" ".join(texts), "", [])
    for text in texts:
        assert not prefixes_of(text) or found(text, " ".join(texts))
    for word in words:
        beginning = word[: data.draw(st.integers(1, len(word)))]
        assert not prefixes_of(beginning) or found(beginning, " ".join(texts))


@given(st.text(), st.text(), st.lists(st.text()))
def test_any_text_has_words_of_bounded_size(title: str, description: str, tags: list[str]) -> None:
    words = words_of(title, description, tags)
    assert len(words) == len(set(words)) <= MAX_WORDS
    assert all(0 < len(word) <= MAX_WORD_CHARACTERS for word in words)
