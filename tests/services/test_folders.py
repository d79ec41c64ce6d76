"""Folders that are imported: what is taken, what is left alone, and what becomes of linked files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import InvalidInput, NotFound
from mediaflow.domain.imports import Import
from mediaflow.domain.records import Asset
from mediaflow.media.sniff import HEAD_BYTES
from mediaflow.services.access.principals import Principal
from mediaflow.services.imports import folders
from mediaflow.services.imports.folders import Folders
from mediaflow.services.imports.importer import Importer
from mediaflow.services.originals.localfiles import name_of
from mediaflow.services.upkeep.health import linked_originals
from mediaflow.services.upkeep.linkwatch import LinkWatch
from mediaflow.testing.clips import make_clip, run_ffmpeg
from tests.services.world import World, make_world

FILM = b"\0\0\0\x18ftypmp42" + bytes(3000)
ADMIN = Principal("root", "admin")


@dataclass
class Bench:
    """A folder, and a service whose importing is done when a test says so."""

    world: World
    folder: Path
    stops_after: int = -1
    checked: int = field(default=0)

    def file(self, name: str, data: bytes = FILM, *, age: float = 60) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        moment = path.stat().st_mtime - age
        os.utime(path, (moment, moment))
        return path

    @property
    def importer(self) -> Importer:
        return self.world.runtime.importer(self._is_stopped)

    def _is_stopped(self) -> bool:
        self.checked += 1
        return 0 <= self.stops_after < self.checked

    def begin(self, owner: str = "ann", **options: Any) -> Import:
        given = {"recursive": True, "link": False, "watch": False, "dry_run": False, **options}
        return self.world.runtime.imports.begin_folder(owner, str(given.pop("folder", self.folder)), given)

    def look(self, asked: Import) -> Import:
        """One look of a worker at it."""
        imports = self.world.runtime.database.imports
        imports.change(asked.id, {}, {"not_before": 0.0})
        importer = self.importer
        importer.look()
        importer.wait(20)
        found = imports.get(asked.id)
        assert found is not None
        return found

    def taken(self, owner: str = "ann", **options: Any) -> Import:
        return self.look(self.begin(owner, **options))

    def assets(self, owner: str = "ann") -> dict[str, Asset]:
        return {each.title: each for each in self.world.runtime.database.assets.find({"owner": owner})}

    def settle(self) -> None:
        """Everything that was taken is assembled and begun."""
        runtime = self.world.runtime
        for upload in runtime.database.uploads.find({"state": "assembling"}):
            runtime.assembly.finish(upload.id)
        self.importer.feed()

    def process(self) -> None:
        self.settle()
        while self.world.runtime.execution.work():
            pass


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (folder := tmp_path / "library").mkdir()
    made = Bench(make_world(tmp_path / "service"), folder)
    yield made
    made.world.runtime.close()


def counts(found: Import) -> dict[str, int]:
    return {name: count for name, count in found.counts.items() if count and name != "bytes"}


def notes(found: Import) -> dict[str, tuple[str, str]]:
    return {Path(note["name"]).name: (note["kind"], note["detail"]) for note in found.notes}


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_what_lies_in_a_folder_becomes_assets(bench: Bench, link: bool) -> None:
    bench.file("Holiday.mp4")
    bench.file("deep/er/Second film.mov", FILM + b"2")
    bench.file("readme.txt", b"hello there")
    bench.file(".hidden.mp4")
    (bench.folder / "other.mp4").symlink_to(bench.folder / "Holiday.mp4")

    found = bench.taken(link=link, visibility="unlisted", tags=["archive"])

    assert (found.state, found.error) == ("done", None)
    assert counts(found) == {"found": 4, "taken": 2, "skipped": 2}
    assert notes(found)["readme.txt"][0] == "skipped"
    assert "text" in notes(found)["readme.txt"][1]
    assert notes(found)["other.mp4"] == ("skipped", "It is a symbolic link.")
    assets = bench.assets()
    assert sorted(assets) == ["Holiday", "Second film"]
    asset = assets["Second film"]
    assert (asset.visibility, asset.tags, asset.size_bytes) == ("unlisted", ["archive"], len(FILM) + 1)
    assert asset.filename == "Second film.mov"


def test_without_recursion_only_the_folder_itself(bench: Bench) -> None:
    bench.file("a.mp4")
    bench.file("deep/b.mp4", FILM + b"b")
    assert counts(bench.taken(recursive=False)) == {"found": 1, "taken": 1}
    assert sorted(bench.assets()) == ["a"]


def test_a_single_file_is_taken(bench: Bench) -> None:
    bench.file("a.mp4")
    bench.file("b.mp4", FILM + b"b")
    assert counts(bench.taken(folder=bench.folder / "a.mp4")) == {"found": 1, "taken": 1}


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_a_second_time_finds_nothing_to_do(bench: Bench, link: bool) -> None:
    for number in range(5):
        bench.file(f"{number}.mp4", FILM + bytes([number]))
    bench.taken(link=link)
    assert counts(bench.taken(link=link)) == {"found": 5, "unchanged": 5}
    assert len(bench.assets()) == 5
    # others have their own
    assert counts(bench.taken("bob", link=link)) == {"found": 5, "taken": 5}


def test_touched_files_are_known_by_their_bytes_and_changed_ones_are_new(bench: Bench) -> None:
    touched, changed = bench.file("touched.mp4"), bench.file("changed.mp4", FILM + b"1")
    bench.taken()
    os.utime(touched, (1, 1))
    changed.write_bytes(FILM + b"2")

    found = bench.taken()

    assert counts(found) == {"found": 2, "unchanged": 1, "taken": 1}
    assert len(bench.world.runtime.database.assets.find({})) == 3
    assert counts(bench.taken()) == {"found": 2, "unchanged": 2}


def test_what_was_broken_off_goes_on_and_takes_nothing_twice(bench: Bench) -> None:
    for number in range(6):
        bench.file(f"{number}.mp4", FILM + bytes([number]))
    asked = bench.begin()
    bench.stops_after = 7
    stopped = bench.look(asked)
    assert stopped.state == "waiting"
    some = len(bench.assets())
    assert 0 < some < 6
    bench.stops_after = -1
    found = bench.look(asked)
    assert (found.state, counts(found)) == ("done", {"found": 6, "taken": 6})
    assert len(bench.world.runtime.database.assets.find({})) == 6
    bench.settle()
    assert list(bench.world.runtime.storage.list("uploads/")) == []


class Killed(BaseException):
    """What nobody catches, as little as a signal."""


def test_whoever_dies_over_a_file_leaves_it_to_the_next(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before any write of the taking of one file: it is one asset in the end."""
    bench.file("film.mp4")
    database = bench.world.runtime.database
    repository: Any = type(database.source_files)
    for dies_at in range(1, 30):
        for each in (database.source_files, database.assets, database.uploads):
            for record in each.find({}):
                each.remove(record.id)
        asked, writes = bench.begin(), 0
        claimed = database.imports.change(asked.id, {}, {"state": "running", "token": "t"})
        assert claimed is not None

        def dying(real: Any, dies_at: int = dies_at) -> Any:
            def counted(*given: Any, **more: Any) -> Any:
                nonlocal writes
                writes += 1
                if writes == dies_at:
                    raise Killed
                return real(*given, **more)

            return counted

        with monkeypatch.context() as patch, suppress(Killed):
            for name in ("insert", "change"):
                patch.setattr(repository, name, dying(getattr(repository, name)))
            _folders(bench).attempt(claimed)
        database.imports.change(asked.id, {}, {"state": "waiting", "lease_until": 0.0})
        found = bench.look(asked)
        assert (found.state, counts(found)) == ("done", {"found": 1, "taken": 1}), dies_at
        assert len(database.assets.find({})) == len(database.uploads.find({})) == 1
        if writes < dies_at:
            assert dies_at > 5
            return
    raise AssertionError("it writes more often than this tries")


def _folders(bench: Bench) -> Folders:
    attempt: Any = bench.importer.folders
    found: Folders = attempt.__self__
    return found


def test_a_dry_run_takes_nothing(bench: Bench) -> None:
    bench.file("a.mp4")
    bench.file("b.txt", b"text")
    found = bench.taken(dry_run=True)
    assert (found.state, counts(found)) == ("done", {"found": 2, "taken": 1, "skipped": 1})
    assert notes(found)["a.mp4"][0] == "would_take"
    assert bench.assets() == {}
    assert bench.world.runtime.database.source_files.find({}) == []


def test_what_lies_beside_a_film_is_said_of_it(bench: Bench) -> None:
    bench.file("film.mp4")
    bench.file("film.de.srt", b"1\n00:00:00,000 --> 00:00:01,000\nHallo\n")
    bench.file("film.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n")
    bench.file("film.xx-nothing.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n")
    said = {"title": "Der Film", "description": "x\ny", "tags": ["a", "a", "b"], "visibility": "public", "year": 1990}
    bench.file("film.json", json.dumps(said).encode())
    bench.file("other.mkv", b"\x1a\x45\xdf\xa3" + bytes(100))
    bench.file("other.json", b'{"title": 5}')

    found = bench.taken()

    assert counts(found) == {"found": 2, "taken": 2}
    film = bench.assets()["Der Film"]
    assert (film.description, film.tags, film.visibility) == ("x\ny", ["a", "b"], "public")
    assert sorted(each["language"] for each in film.captions) == ["de", "und"]
    assert {note["detail"] for note in found.notes if note["kind"] == "warning"} == {
        "film.xx-nothing.vtt: " + bad_language("xx-nothing"),
        "other.json title must be text",
    }
    assert "other" in bench.assets()


@pytest.mark.parametrize(("ending", "form"), [("jpg", "mjpeg"), ("png", "png")])
def test_an_image_beside_a_film_is_its_picture(bench: Bench, tmp_path: Path, ending: str, form: str) -> None:
    make_clip(bench.folder / "film.mp4", seconds=2)
    red = ["-f", "lavfi", "-i", "color=red:s=300x100:d=1", "-frames:v", "1", "-c:v", form]
    run_ffmpeg([*red, str(bench.folder / f"film.{ending}")])
    bench.taken()
    bench.process()
    runtime, asset = bench.world.runtime, bench.assets()["film"]
    assert asset.published is not None
    assert asset.published.picture == asset.picture is not None
    image = asset.published.first("image")
    assert image is not None
    (made := tmp_path / "made.jpg").write_bytes(b"".join(runtime.storage.read(f"assets/{asset.id}/{image.path}")))
    colours = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(made), "-vf", "crop=2:2", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        check=True,
        capture_output=True,
    ).stdout
    assert colours[0] > 200 > 60 > colours[1]
    # it stays when the film is processed again, until its owner chooses another
    ann = Principal("ann", "user")
    runtime.reprocess.asset(ann, asset.id)
    bench.process()
    again = bench.assets()["film"]
    assert again.published is not None
    assert (again.generation, again.published.picture) == (2, asset.picture)
    assert list(runtime.fsck().findings()) == []
    runtime.posters.choose(ann, asset.id, 1.0)
    bench.process()
    chosen = bench.assets()["film"].published
    assert chosen is not None
    assert (chosen.picture, chosen.poster_seconds) == (None, 1.0)


def test_what_is_no_image_is_told(bench: Bench) -> None:
    bench.file("film.mp4")
    bench.file("film.jpg", b"<svg/>")
    found = bench.taken()
    assert counts(found) == {"found": 1, "taken": 1}
    assert [note["detail"] for note in found.notes] == ["film.jpg is neither JPEG nor PNG"]
    assert bench.assets()["film"].picture is None


def bad_language(tag: str) -> str:
    return f"The language must be a language's tag (BCP 47) such as `en`, `pt-BR` or `zh-Hant`, not '{tag}'."


@pytest.mark.parametrize(
    "data",
    [
        *(b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"tags": "x"}', b'{"visibility": "all"}', b'{"title": " "}'),
        *(b'{"title": "%s"}' % (b"x" * 300), b'{"tags": [1]}', b" " * 2_000_000),
    ],
)
def test_what_is_wrong_beside_a_film_is_told_and_harms_nothing(bench: Bench, data: bytes) -> None:
    bench.file("film.mp4")
    bench.file("film.json", data)
    found = bench.taken()
    assert counts(found) == {"found": 1, "taken": 1}
    assert [note["kind"] for note in found.notes] == ["warning"]
    assert "film" in bench.assets()


def test_a_followed_folder_takes_what_has_stopped_growing(bench: Bench) -> None:
    bench.file("film.mp4", age=0)
    asked = bench.begin(watch=True)
    first = bench.look(asked)
    assert (first.state, counts(first)) == ("waiting", {"found": 1, "growing": 1})
    assert first.not_before > bench.world.runtime.database.now() + 3
    bench.file("film.mp4", FILM + b"more", age=0)
    assert counts(bench.look(asked)) == {"found": 1, "growing": 1}
    assert bench.assets() == {}
    assert counts(bench.look(asked)) == {"found": 1, "taken": 1}
    assert bench.assets()["film"].size_bytes == len(FILM) + 4
    bench.file("second.mp4", FILM + b"2")
    bench.look(asked)
    bench.look(asked)
    assert sorted(bench.assets()) == ["film", "second"]
    bench.world.runtime.imports.end(ADMIN, asked.id)
    assert bench.world.runtime.imports.progress(ADMIN, asked.id).state == "ended"
    bench.file("third.mp4", FILM + b"3")
    bench.look(asked)
    assert sorted(bench.assets()) == ["film", "second"]


def test_a_followed_folder_may_go_and_come_back(bench: Bench) -> None:
    bench.file("film.mp4")
    asked = bench.begin(watch=True)
    shutil.move(bench.folder, away := bench.folder.with_name("away"))
    for _ in range(folders.MOST_ATTEMPTS + 2):
        gone = bench.look(asked)
    assert gone.state == "waiting"
    assert (gone.error or {})["code"] == "import.no_folder"
    shutil.move(away, bench.folder)
    bench.look(asked)
    back = bench.look(asked)
    assert (back.error, counts(back)) == (None, {"found": 1, "taken": 1})


def test_a_folder_that_nobody_sees_fails_after_some_tries(bench: Bench) -> None:
    asked = bench.begin()
    shutil.rmtree(bench.folder)
    states = [bench.look(asked).state for _ in range(folders.MOST_ATTEMPTS)]
    assert states == ["waiting"] * (folders.MOST_ATTEMPTS - 1) + ["failed"]


def test_a_file_that_changes_while_it_is_copied_is_not_taken(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path, storage = bench.file("film.mp4"), bench.world.runtime.storage
    real = type(storage).put

    def put(self: Any, key: str, *given: Any, **more: Any) -> Any:
        done = real(self, key, *given, **more)
        os.utime(path, (5, 5))
        return done

    monkeypatch.setattr(type(storage), "put", put)
    found = bench.taken()
    assert counts(found) == {"found": 1, "failed": 1}
    assert notes(found)["film.mp4"] == ("failed", "It changed while it was copied.")
    assert list(storage.list("uploads/")) == []
    monkeypatch.undo()
    assert counts(bench.taken()) == {"found": 1, "taken": 1}


def test_too_much_for_its_owner_ends_it_and_says_so(tmp_path: Path) -> None:
    (folder := tmp_path / "library").mkdir()
    bench = Bench(make_world(tmp_path / "service", quota_assets="2"), folder)
    for number in range(3):
        bench.file(f"{number}.mp4", FILM + bytes([number]))
    asked = bench.begin()
    found = bench.look(asked)
    assert (found.state, (found.error or {})["code"]) == ("failed", "limit.quota_assets")
    assert len(bench.assets()) == 2
    followed = bench.look(bench.begin(watch=True))
    assert (followed.state, counts(followed)["unchanged"]) == ("waiting", 2)
    bench.world.runtime.close()


def test_bytes_that_stay_where_they_are_are_no_bytes_of_ours(tmp_path: Path) -> None:
    (folder := tmp_path / "library").mkdir()
    bench = Bench(make_world(tmp_path / "service", quota_bytes="5000"), folder)
    for number in range(5):
        bench.file(f"{number}.mp4", FILM + bytes([number]))
    assert counts(bench.taken(link=True)) == {"found": 5, "taken": 5}
    quotas = bench.world.runtime.quotas
    assert (quotas.usage("ann").assets, quotas.usage("ann").bytes) == (5, 0)
    copied = bench.taken("bob")
    assert ((copied.error or {})["code"], len(bench.assets("bob"))) == ("limit.quota_bytes", 1)
    assert quotas.usage("bob").bytes == len(FILM) + 1
    bench.world.runtime.close()


def test_only_so_many_jobs_are_begun_at_once(tmp_path: Path) -> None:
    (folder := tmp_path / "library").mkdir()
    bench = Bench(make_world(tmp_path / "service", import_waiting="2"), folder)
    for number in range(5):
        bench.file(f"{number}.mp4", FILM + bytes([number]))
    bench.taken(link=True)
    runtime = bench.world.runtime
    runtime.reconciler.sweep()  # it leaves them alone
    bench.importer.feed()
    bench.importer.feed()
    begun = runtime.database.jobs.find({})
    assert [job.priority for job in begun] == [-1, -1]
    assert sorted(each.state for each in bench.assets().values()) == ["created"] * 3 + ["processing"] * 2
    for job in begun:
        runtime.jobs.end(job, "cancelled", {"code": "x", "detail": "x"})
    bench.importer.feed()
    assert len(runtime.database.jobs.find({})) == 4
    runtime.close()


@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_what_waits_can_be_deleted_for_good(tmp_path: Path, link: bool) -> None:
    (folder := tmp_path / "library").mkdir()
    bench = Bench(make_world(tmp_path / "service", gc_seconds="0"), folder)
    path = bench.file("film.mp4")
    bench.taken(link=link)
    runtime = bench.world.runtime
    for upload in runtime.database.uploads.find({"state": "assembling"}):
        runtime.assembly.finish(upload.id)
    asset = bench.assets()["film"]
    assert asset.state == "created"
    kept = [] if link else ["originals"]
    assert [info.key.partition("/")[0] for info in runtime.storage.list("")] == kept
    runtime.trash.delete(Principal("ann", "user"), asset.id, purge=True)
    runtime.reconciler.sweep()
    assert runtime.database.assets.get(asset.id) is None
    assert runtime.database.uploads.get(asset.upload_id) is None
    assert list(runtime.storage.list("")) == []
    assert runtime.database.blobs.find({}) == []
    assert bench.importer.feed() == 0
    assert path.exists()
    runtime.close()


def test_a_linked_film_is_made_from_where_it_lies(bench: Bench) -> None:
    path = make_clip(bench.folder / "film.mp4", seconds=2)
    path.chmod(0o644)
    before = path.stat()
    bench.taken(link=True)
    bench.process()
    asset = bench.assets()["film"]
    assert (asset.state, asset.error) == ("ready", None)
    assert asset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(bench.world.runtime.storage.list("originals/")) == []
    assert bench.world.runtime.files.in_place(asset.original_key or "") == path
    assert (
        b"".join(bench.world.runtime.files.read(asset.original_key or "", offset=5, length=10))
        == (path.read_bytes()[5:15])
    )
    assert (path.stat().st_mode, path.stat().st_mtime) == (before.st_mode, before.st_mtime)
    assert list(bench.world.runtime.fsck().findings()) == []


def test_a_linked_file_that_only_its_owner_may_read_keeps_its_mode(bench: Bench) -> None:
    path = make_clip(bench.folder / "film.mp4", seconds=1)
    path.chmod(0o600)
    bench.taken(link=True)
    bench.process()
    asset = bench.assets()["film"]
    assert (asset.state, asset.error) == ("ready", None)
    assert path.stat().st_mode & 0o777 == 0o600


def test_deleting_the_asset_leaves_the_linked_file(bench: Bench) -> None:
    path = make_clip(bench.folder / "film.mp4", seconds=1)
    bench.taken(link=True)
    bench.process()
    runtime, asset = bench.world.runtime, bench.assets()["film"]
    runtime.trash.delete(Principal("ann", "user"), asset.id)
    runtime.database.assets.change(asset.id, {}, {"purge_at": 1.0})
    runtime.reconciler.sweep()
    assert runtime.database.assets.get(asset.id) is None
    assert path.exists()
    path.rename(path.with_suffix(".away"))
    LinkWatch(runtime.database, runtime.files, runtime.relay).sweep()
    assert linked_originals(runtime.database).linked == 0  # nobody misses it
    path.with_suffix(".away").rename(path)
    # who deleted it does not get it back with the next look
    assert counts(bench.taken(link=True)) == {"found": 1, "unchanged": 1}


def test_that_a_linked_file_is_gone_is_told_and_that_it_is_back(bench: Bench) -> None:
    path = bench.file("film.mp4")
    bench.taken(link=True)
    bench.settle()
    runtime = bench.world.runtime
    watch = LinkWatch(runtime.database, runtime.files, runtime.relay)
    watch.sweep()
    assert bench.assets()["film"].original_gone_at is None
    key = bench.assets()["film"].original_key or ""
    moment = path.stat().st_mtime
    path.rename(away := path.with_suffix(".away"))
    watch.sweep()
    assert bench.assets()["film"].original_gone_at is not None
    assert runtime.files.stat(key) is None
    with pytest.raises(NotFound):
        runtime.files.read(key)
    away.rename(path)
    watch.sweep()
    assert bench.assets()["film"].original_gone_at is None
    path.write_bytes(b"x" * len(FILM))
    os.utime(path, (moment + 1, moment + 1))
    watch.sweep()
    assert bench.assets()["film"].original_gone_at is not None
    with pytest.raises(NotFound):
        runtime.files.in_place(key)
    told = [event.data["state"] for event in runtime.events.after(0) if event.name == "original.changed"]
    assert told == ["gone", "linked", "gone"]


@pytest.mark.parametrize("folder", ["relative/path", "s3:nowhere", "nothing:at all", "/\0", "/" + "x" * 5000])
def test_what_is_no_folder_is_refused(bench: Bench, folder: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        bench.begin(folder=folder)
    assert refused.value.problems[0].pointer == "/folder"


def test_our_own_data_and_what_is_not_allowed_are_refused(tmp_path: Path) -> None:
    (open_ := tmp_path / "open").mkdir()
    (closed := tmp_path / "closed").mkdir()
    (open_ / "way out").symlink_to(closed)
    world = make_world(tmp_path / "service", import_folders=str(open_))
    bench = Bench(world, open_)
    bench.begin(folder=open_)
    for folder in (closed, open_ / "way out", open_ / ".." / "closed", world.runtime.settings.data_path, "/"):
        with pytest.raises(InvalidInput):
            bench.begin(folder=folder)
    world.runtime.close()


def test_names_of_any_kind(bench: Bench) -> None:
    bench.file("ü 日本 'x' \"y\".mp4")
    bench.file("a\nb.mp4", FILM + b"1")
    (Path(os.fsdecode(os.fsencode(bench.folder) + b"/\xff.mp4"))).write_bytes(FILM)
    found = bench.taken(link=True)
    assert counts(found) == {"found": 3, "taken": 2, "skipped": 1}
    assert sorted(each.filename for each in bench.assets().values()) == ["ab.mp4", "ü 日本 'x' \"y\".mp4"]


def test_one_that_is_too_large_does_not_keep_the_others_out(tmp_path: Path) -> None:
    (folder := tmp_path / "library").mkdir()
    bench = Bench(make_world(tmp_path / "service", max_upload_bytes=str(10**6)), folder)
    bench.file("a.mp4", FILM + bytes(10**6))
    with bench.file("b.mp4", FILM).open("r+b") as file:
        file.truncate(2**40)
    bench.file("c.mp4")
    os.mkfifo(folder / "d.mp4")
    found = bench.taken(link=True)
    assert counts(found) == {"found": 4, "taken": 1, "failed": 2, "skipped": 1}
    assert sorted(bench.assets()) == ["c"]
    assert {detail for kind, detail in notes(found).values() if kind == "failed"} == {
        "The file is larger than this service accepts."
    }
    bench.world.runtime.close()


def test_one_that_does_not_fit_on_the_disk_does_not_keep_the_others_out(bench: Bench) -> None:
    with bench.file("a.mp4", FILM).open("r+b") as file:
        file.truncate(2**34)
    bench.file("b.mp4")
    free = shutil.disk_usage(bench.folder).free
    runtime = bench.world.runtime
    strict = replace(runtime.settings, min_free_bytes=free - 2**33)
    runtime.ingest = replace(runtime.ingest, settings=strict)
    found = bench.taken()
    assert counts(found) == {"found": 2, "taken": 1, "failed": 1}
    assert "disk space" in notes(found)["a.mp4"][1]


def test_an_empty_file_is_none(bench: Bench) -> None:
    bench.file("film.mp4", b"")
    assert counts(bench.taken()) == {"found": 1, "skipped": 1}
    assert HEAD_BYTES > 0
    assert name_of(Path("/a/b")) == "a/b"
