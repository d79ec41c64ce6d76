"""What `local:` does beyond the contract: files of this host, full disks, links."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mediaflow.plugin import ConfigurationError, Conflict, NotFound, Unavailable
from mediaflow.testing.bodies import MIB, Interrupted, content, raising
from mediaflow_local.plugin import mediaflow_register_storages, open_local
from mediaflow_local.storage import LocalStorage
from tests.plugins.storages import KIND, files_below, put, read


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


# --- opening


@pytest.mark.parametrize("url", ["local:", "local://host/path", "local:a\0b"])
def test_a_url_that_names_no_directory_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match="local:/var/lib/mediaflow"):
        open_local(url, {})


def test_opening_touches_nothing_and_a_relative_path_is_fixed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = open_local("local:objects", {})
    assert list(tmp_path.iterdir()) == []
    assert list(storage.list("")) == []
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    storage.put("key", [b"x"], size_bytes=1, content_type=KIND)
    assert (tmp_path / "objects" / "key").read_bytes() == b"x"


def test_the_plugin_offers_the_scheme_as_one_of_this_host() -> None:
    (scheme,) = mediaflow_register_storages()
    assert (scheme.scheme, scheme.shared) == ("local", False)


# --- files


def test_nobody_else_may_look_into_files_and_directories(storage: LocalStorage, root: Path) -> None:
    put(storage, "a/b/c", b"x")
    handle = storage.begin_parts("p", size_bytes=10, part_bytes=5, content_type=KIND)
    for path in [root, *root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    storage.abort_parts("p", handle)


def test_nothing_is_left_of_what_was_deleted_aborted_or_interrupted(storage: LocalStorage, root: Path) -> None:
    put(storage, "a/b/c/one", b"x")
    put(storage, "a/two", b"x")
    with pytest.raises(Interrupted):
        storage.put("a/three", raising(b"x", Interrupted()), size_bytes=2, content_type=KIND)
    handle = storage.begin_parts("a/four", size_bytes=10, part_bytes=5, content_type=KIND)
    storage.abort_parts("a/four", handle)
    storage.delete("a/b/c/one")
    assert files_below(root) == ["a/two"]
    assert not (root / "a" / "b").exists(), "directories that a deletion leaves empty go too"
    storage.move("a/two", "b/two")
    assert not (root / "a").exists()


def test_what_a_dead_process_left_is_removed_after_a_day(root: Path) -> None:
    temporary = root / ".mediaflow" / "tmp"
    temporary.mkdir(parents=True)
    for name, age_hours in (("old", 25), ("young", 23)):
        (temporary / name).write_bytes(b"x")
        when = time.time() - age_hours * 3600
        os.utime(temporary / name, (when, when))
    put(LocalStorage(root), "key", b"x")
    assert files_below(temporary) == ["young"]


def test_a_key_below_an_object_is_a_conflict_and_harms_nothing(storage: LocalStorage) -> None:
    put(storage, "a", b"x")
    put(storage, "b/c", b"y")
    for key in ("a/below", "b"):
        with pytest.raises(Conflict) as caught:
            put(storage, key, b"z")
        assert caught.value.code == "storage.key_in_the_way"
        assert storage.stat(key) is None
    with pytest.raises(Conflict):
        storage.move("a", "b/c/below")
    assert (read(storage, "a"), read(storage, "b/c")) == (b"x", b"y")


def test_a_reader_keeps_its_version_when_the_object_is_replaced_or_deleted(storage: LocalStorage) -> None:
    old = content(3 * MIB, seed=1)
    put(storage, "key", old)
    one, two = storage.read("key"), storage.read("key")
    put(storage, "key", b"new")
    assert b"".join(one) == old
    storage.delete("key")
    assert b"".join(two) == old


def test_a_file_that_is_cut_off_under_a_reader_is_an_error_and_not_a_short_object(
    storage: LocalStorage, root: Path
) -> None:
    put(storage, "key", content(2 * MIB))
    reader = storage.read("key")
    next(reader)
    os.truncate(root / "key", MIB)
    with pytest.raises(Unavailable):
        b"".join(reader)


def test_open_files_do_not_add_up(storage: LocalStorage) -> None:
    put(storage, "key", content(2 * MIB))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        next(storage.read("key"))
        storage.read("key")
        storage.local_path("key")
        storage.stat("nothing/here")
        list(storage.list("k"))
        handle = storage.begin_parts("p", size_bytes=10, part_bytes=5, content_type=KIND)
        storage.put_part("p", handle, 0, [b"12345"], offset=0, length=5)
        storage.abort_parts("p", handle)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- links out of the root


@pytest.fixture
def outside(tmp_path: Path, storage: LocalStorage, root: Path) -> Path:
    """A directory outside with a secret, and links to both inside."""
    put(storage, "inside/object", b"x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "directory").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "inside" / "up").symlink_to("../../outside")
    return outside


@pytest.mark.parametrize("key", ["file", "directory/secret", "inside/up/secret"])
def test_links_are_not_followed(storage: LocalStorage, outside: Path, key: str) -> None:
    assert storage.stat(key) is None
    for operation in (storage.read, storage.local_path):
        with pytest.raises(NotFound):
            operation(key)
    storage.delete("directory/secret")
    assert (outside / "secret").read_bytes() == b"secret"
    assert [info.key for info in storage.list("")] == ["inside/object"]
    assert list(storage.list("directory/")) == []


@pytest.mark.parametrize("key", ["directory/new", "inside/up/new", "directory/a/b"])
def test_nothing_is_written_through_a_link(storage: LocalStorage, outside: Path, key: str) -> None:
    with pytest.raises(Conflict):
        put(storage, key, b"x")
    with pytest.raises(Conflict):
        storage.move("inside/object", key)
    assert files_below(outside) == ["secret"]


def test_an_object_put_on_a_link_takes_its_place(storage: LocalStorage, outside: Path) -> None:
    put(storage, "file", b"mine")
    assert read(storage, "file") == b"mine"
    assert (outside / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_object(storage: LocalStorage, root: Path, make: object) -> None:
    put(storage, "object", b"x")
    assert callable(make)
    make(root / "odd")
    assert storage.stat("odd") is None
    with pytest.raises(NotFound):
        storage.read("odd")
    assert [info.key for info in storage.list("")] == ["object"]


# --- a disk that does not work


def test_a_broken_directory_is_unavailable_and_its_path_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "secret-place").write_bytes(b"a file where the directory should be")
    storage = LocalStorage(tmp_path / "secret-place")
    with pytest.raises(Unavailable) as caught:
        put(storage, "key", b"x")
    assert "secret-place" not in caught.value.detail


FULL_DISK = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from mediaflow.plugin import InsufficientStorage
from mediaflow_local.storage import LocalStorage
root, MIB = Path(sys.argv[1]), 1 << 20
storage, block = LocalStorage(root), bytes(MIB)
storage.put("old", [b"old"], size_bytes=3, content_type="x")
free = storage.room().free_bytes
seen = {}

def tried(call):
    try:
        call()
    except InsufficientStorage as error:
        return error.code
    return "accepted"

def begun(storage, size):
    return storage.begin_parts("p", size_bytes=size * MIB, part_bytes=MIB, content_type="x")

def part(storage, handle, index):
    return tried(lambda: storage.put_part("p", handle, index, [block], offset=index * MIB, length=MIB))

seen["put"] = tried(lambda: storage.put("old", (block for _ in range(99)), size_bytes=99 * MIB, content_type="x"))
seen["old"] = b"".join(storage.read("old")).decode()
seen["files"] = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

handles = [begun(storage, 1000) for _ in range(4)]
seen["announced"] = free - storage.room().free_bytes < MIB // 2
for handle in handles:
    storage.abort_parts("p", handle)

careful = LocalStorage(root, 8 * MIB)
handles = [begun(careful, 40) for _ in range(4)]
with ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(lambda at: part(careful, handles[at % 4], at // 4), range(40)))
seen["parts"] = sorted(set(answers))
seen["left free"] = 5 * MIB <= storage.room().free_bytes < 12 * MIB
for handle in handles:
    careful.abort_parts("p", handle)

handle = begun(storage, 40)
answers = [part(storage, handle, index) for index in range(40)]
seen["full"] = sorted(set(answers))
seen["in the middle"] = answers.index("storage.full") > 8
storage.abort_parts("p", handle)

handle = begun(careful, 3)
answers = [part(careful, handle, index) for index in range(3)]
seen["completed"] = careful.complete_parts("p", handle, [""] * 3, size_bytes=3 * MIB).size_bytes
print(json.dumps(seen))
"""


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap gives the small disk")
def test_announcing_takes_no_room_and_parts_leave_some_while_a_full_disk_is_told(tmp_path: Path) -> None:
    # given: a disk of 20 MiB
    small = tmp_path / "small"
    small.mkdir()
    disk = ["bwrap", "--dev-bind", "/", "/", "--size", str(20 * MIB), "--tmpfs", str(small)]
    ran = subprocess.run([*disk, sys.executable, "-c", FULL_DISK, str(small)], capture_output=True, text=True)
    if "bwrap:" in ran.stderr:
        pytest.skip(ran.stderr)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "put": "storage.full",
        "old": "old",
        "files": ["old"],
        "announced": True,
        "parts": ["accepted", "storage.full"],
        "left free": True,
        "full": ["accepted", "storage.full"],
        "in the middle": True,
        "completed": 3 * MIB,
    }


def test_a_directory_that_is_read_in_several_parts_is_listed_whole_and_in_order(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    names = ["a", "b/1", "b/2/x", "b.c", "b0", "c/1", *(f"d/{number}" for number in range(9)), "e"]
    for name in names:
        put(storage, name, b"x")
    # when
    monkeypatch.setattr("mediaflow_local.reading.ENTRIES", 2)
    # then
    for prefix in ("", "b", "b/", "d/", "d/3", "z"):
        wanted = sorted(name for name in names if name.startswith(prefix))
        assert [info.key for info in storage.list(prefix)] == wanted


def test_a_listing_goes_on_over_what_is_deleted_meanwhile(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        put(storage, f"d/{number}", b"x")
    monkeypatch.setattr("mediaflow_local.reading.ENTRIES", 3)
    found = []
    for info in storage.list("d/"):
        found.append(info.key)
        storage.delete(info.key)
        storage.delete("d/7")
    assert found == [f"d/{number}" for number in range(9) if number != 7]
