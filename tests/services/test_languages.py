"""Language tags: which are known, their canonical form, and what their speakers call them."""

from __future__ import annotations

import pytest

from mediaflow.domain.errors import InvalidInput
from mediaflow.services.text.languages import canonical_language, known_language, language_name


@pytest.mark.parametrize(
    ("tag", "canonical", "name"),
    [
        ("en", "en", "English"),
        ("EN-us", "en-US", "English (United States)"),
        ("eng", "en", "English"),
        ("ger", "de", "Deutsch"),
        ("deu", "de", "Deutsch"),
        ("pt-br", "pt-BR", "Português (Brasil)"),
        ("zh-hANT", "zh-Hant", "中文（繁體）"),  # noqa: RUF001 - as CLDR writes it
        ("es-419", "es-419", "Español (Latinoamérica)"),
        ("de-1996", "de-1996", "Deutsch"),
        ("tlh", "tlh", "Klingon"),
        ("qaa", "qaa", "qaa"),
    ],
)
def test_a_language_has_a_canonical_tag_and_a_name(tag: str, canonical: str, name: str) -> None:
    assert canonical_language(tag) == canonical
    assert language_name(canonical) == name


@pytest.mark.parametrize(
    "tag",
    ["", "e", "xx", "en_US", "english", "en--US", "en-", "-en", "en\n", "und", "zxx", "mul", "x-mine", "../en", "é",
     "en-" + "a" * 40, "en-abcdefghi", 'e",URI="x', "en-US-US"],
)  # fmt: skip
def test_what_is_no_language_is_refused_with_the_way_out(tag: str) -> None:
    assert known_language(tag) is None
    with pytest.raises(InvalidInput, match="such as `en`, `pt-BR`") as caught:
        canonical_language(tag)
    assert caught.value.code == "captions.bad_language"
