"""Whatever a manifest format renders that is none is refused with its name, its plugin and the value."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mediaflow.domain.errors import TaskFailed, Unavailable
from mediaflow.plugin import Manifest, Presentation
from mediaflow.services.pipeline.manifests import MOST_BYTES, manifests_of

GOOD = Manifest("all.mpd", "application/dash+xml", "<MPD/>", entry=True)


def rendered(answer: Any) -> list[Manifest]:
    def render(_: Presentation) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    plain: Any = SimpleNamespace(name="line", render=render)
    return manifests_of(plain, "mine", Presentation(1.0, (), ()))


def with_(**fields: Any) -> list[Manifest]:
    return [replace(GOOD, **fields)]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (RuntimeError("no\nidea"), "failed: RuntimeError: no idea"),
        (SystemExit(3), "failed: WouldEndProcess: SystemExit(3)"),
        (None, "rendered None; it must be a list of Manifests"),
        (GOOD, "rendered Manifest("),
        ([7], "rendered 7; it must be a Manifest"),
        ([], "must have exactly one entry, which players open; it has none"),
        ([GOOD, replace(GOOD, path="b")], "it has all.mpd, b"),
        (with_(body=b"<MPD/>"), "rendered all.mpd with a body of bytes; it must be text"),
        (with_(body="<\ud800>"), "rendered all.mpd with '\\ud800' at 1 of its body, which is no Unicode text"),
        (with_(body="x" * (MOST_BYTES + 1)), f"at most {MOST_BYTES} fit"),
        (with_(body="ä" * (MOST_BYTES // 2 + 1)), f"at most {MOST_BYTES} fit"),
        (with_(path="../../x"), "a manifest whose path is '../../x'; it must be relative"),
        (with_(path="/etc/x"), "whose path is '/etc/x'"),
        (with_(path="a\0"), r"whose path is 'a\x00'"),
        (with_(path="a" * 304), "at most 200 characters"),
        (with_(path=7), "whose path is 7"),
        (with_(path="b/artifacts.json"), "artifacts.json is a name of ours"),
        (with_(content_type="text/html\r\nX: y"), "with content_type 'text/html"),
        (with_(entry=1), "with entry 1; it must be True or False"),
    ],
)
def test_what_is_no_manifest_is_named(answer: Any, sentence: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        rendered(answer)
    assert caught.value.detail.startswith("The manifest format 'line' of the plugin 'mine' ")
    assert sentence in caught.value.detail
    assert len(caught.value.detail) < 500
    assert caught.value.code == "job.bad_manifest"


def test_an_error_of_its_own_keeps_its_code_and_a_detail_that_can_be_kept() -> None:
    with pytest.raises(TaskFailed, match=r"of the plugin 'mine' failed: xxx") as caught:
        rendered(Unavailable("x" * 10_000_000))
    assert caught.value.code == "storage.unavailable"
    assert len(caught.value.detail) < 1200


def test_any_iterable_of_manifests_will_do() -> None:
    assert rendered(iter([GOOD, replace(GOOD, path="b", entry=False)]))[0] is GOOD
