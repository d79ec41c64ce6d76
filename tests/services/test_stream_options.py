"""What operators set for the stream: in which form, and what stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import ConfigurationError
from mediaflow.plugin import Storage
from mediaflow.services.delivery.stream_options import parse_origins, stream_options
from mediaflow.settings import Settings
from mediaflow_local.storage import LocalStorage
from mediaflow_minio.location import Location
from mediaflow_minio.storage import S3Storage
from tests.services.world import make_world

S3 = "s3:http://127.0.0.1:9000/media"


def storage_of(url: str) -> Storage:
    """Nothing connects."""
    return S3Storage(Location("127.0.0.1:9000", False, "media", "a", "b")) if url else LocalStorage(Path("/nowhere"))


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("*", {"*"}),
        ("", set()),
        (" , ", set()),
        ("https://a.example", {"https://a.example"}),
        ("https://a.example, http://b.example:8080", {"https://a.example", "http://b.example:8080"}),
        ("HTTPS://A.Example:443", {"https://a.example"}),
        ("http://a.example:80", {"http://a.example"}),
        ("http://a.example:443", {"http://a.example:443"}),
        ("http://[::1]:3000", {"http://[::1]:3000"}),
        ("capacitor://localhost", {"capacitor://localhost"}),
    ],
)
def test_origins_are_kept_as_browsers_write_them(text: str, origins: set[str]) -> None:
    assert parse_origins("MEDIAFLOW_STREAM_ORIGINS", text) == origins


@pytest.mark.parametrize(
    "text",
    [
        "a.example",
        "https://a.example/",
        "https://a.example/player",
        "https://*.example",
        "https://user@a.example",
        "https://a.example:0",
        "https://a.example:70000",
        "https://",
        "null",
        "https://a.example https://b.example",
        "https://ä.example",
        "*, https://a.example",
    ],
)
def test_what_no_browser_sends_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^MEDIAFLOW_STREAM_ORIGINS: "):
        parse_origins("MEDIAFLOW_STREAM_ORIGINS", text)


@pytest.mark.parametrize(
    ("url", "settings", "sentence"),
    [
        (
            "",
            {"stream_redirect": True},
            "MEDIAFLOW_STREAM_REDIRECT is on, but the storage `local:` can't make presigned",
        ),
        (
            S3,
            {"stream_accel_prefix": "/internal/"},
            "MEDIAFLOW_STREAM_ACCEL_PREFIX is set, but nginx can't read .*`s3:`",
        ),
        ("", {"stream_accel_prefix": "internal"}, "MEDIAFLOW_STREAM_ACCEL_PREFIX: 'internal' is no path"),
        ("", {"stream_accel_prefix": "/"}, "MEDIAFLOW_STREAM_ACCEL_PREFIX: '/' is no path"),
        ("", {"stream_accel_prefix": "/a/../b/"}, "MEDIAFLOW_STREAM_ACCEL_PREFIX: '/a/../b/' is no path"),
        ("", {"stream_accel_prefix": "/a b/"}, "MEDIAFLOW_STREAM_ACCEL_PREFIX: '/a b/' is no path"),
        ("", {"stream_origins": "nonsense"}, "MEDIAFLOW_STREAM_ORIGINS: 'nonsense' is no origin"),
    ],
)
def test_what_the_storage_can_not_do_stops_the_start(url: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        stream_options(Settings(storage_url=url, **settings), storage_of(url))


def test_a_storage_of_both_kinds_can_be_told_one_of_both_only() -> None:
    class Both(LocalStorage):
        def presign(self, key: str, *, seconds: int) -> str:
            return f"http://{key}?{seconds}"

    settings = Settings(stream_redirect=True, stream_accel_prefix="/internal/")
    with pytest.raises(ConfigurationError, match="both set"):
        stream_options(settings, Both(Path("/nowhere")))


def test_what_it_can_do_is_done() -> None:
    storage = storage_of(S3)
    redirect: object = stream_options(Settings(storage_url=S3, stream_redirect=True), storage).redirect
    assert redirect is storage
    assert stream_options(Settings(stream_accel_prefix="/internal"), storage_of("")).accel_prefix == "/internal/"
    assert stream_options(Settings(storage_url=S3), storage).redirect is None


def test_the_service_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MEDIAFLOW_STREAM_REDIRECT"):
        make_world(tmp_path, stream_redirect="true")
