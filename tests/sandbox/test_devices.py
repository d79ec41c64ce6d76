"""Which device files a pattern names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaflow.sandbox.confinement import DEFAULT
from mediaflow.sandbox.devices import device_files


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["/dev/nul?", "/dev/zero"], ["/dev/null", "/dev/zero"]),
        (["/dev/null", "/dev/nul*"], ["/dev/null"]),
        # a directory, a link, what is not there
        (["/dev/shm", "/dev/stdin", "/dev/dri-of-nobody/renderD*"], []),
        (["/etc/passwd", "/dev/../etc/passwd", "dev/null", "/dev", "/", ""], []),
    ],
)
def test_only_device_files_are_let_in(patterns: list[str], found: list[str]) -> None:
    assert device_files(patterns) == tuple(map(Path, found))


def test_devices_of_a_step_stand_beside_those_of_the_operator() -> None:
    one, other = Path("/dev/null"), Path("/dev/zero")
    assert DEFAULT.with_devices([one]).with_devices([other, one]).devices == (one, other)
    assert DEFAULT.devices == ()
