"""What lies on one host can't be shared with workers on another."""

from __future__ import annotations

import pytest

from mediaflow.domain.errors import ConfigurationError
from mediaflow.services.upkeep.topology import check_topology, is_this_host

ELSEWHERE = "redis://192.0.2.1:6379/0"  # TEST-NET-1 (RFC 5737): nobody has it


@pytest.mark.parametrize(
    ("redis_url", "here"),
    [
        ("redis://127.0.0.1:6379/0", True),
        ("redis://:secret@localhost/0", True),
        ("redis://[::1]:6379/0", True),
        ("unix:///run/redis.sock", True),
        (ELSEWHERE, False),
        ("redis://no-such-host.invalid:6379/0", False),
    ],
)
def test_this_host_is_told_from_others(redis_url: str, here: bool) -> None:
    assert is_this_host(redis_url) is here


@pytest.mark.parametrize(
    ("redis_url", "database_url", "storage_url", "storage_is_shared"),
    [
        ("", "sqlite:data/a.db", "local:data/objects", False),
        ("redis://127.0.0.1/0", "sqlite:data/a.db", "local:data/objects", False),
        (ELSEWHERE, "mongodb://db/mediaflow", "s3:https://s3/media", True),
    ],
)
def test_backends_that_everybody_can_reach_fit_together(
    redis_url: str, database_url: str, storage_url: str, storage_is_shared: bool
) -> None:
    check_topology(
        redis_url=redis_url, database_url=database_url, storage_url=storage_url, storage_is_shared=storage_is_shared
    )


@pytest.mark.parametrize(
    ("database_url", "storage_url", "storage_is_shared", "way_out"),
    [
        ("sqlite:data/a.db", "s3:https://s3/media", True, "set MEDIAFLOW_DATABASE_URL"),
        ("mongodb://db/mediaflow", "local:data/objects", False, "set MEDIAFLOW_STORAGE_URL"),
    ],
)
def test_a_queue_on_another_host_with_data_on_this_one_is_refused(
    database_url: str, storage_url: str, storage_is_shared: bool, way_out: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"192\.0\.2\.1.*{way_out}"):
        check_topology(
            redis_url=ELSEWHERE, database_url=database_url, storage_url=storage_url, storage_is_shared=storage_is_shared
        )
