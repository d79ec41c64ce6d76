"""Uploads: what is accepted, what is kept, and what every order of events leads to."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mediaflow.domain.errors import Busy, Conflict, InvalidInput, MediaflowError, NotFound, TooLarge
from mediaflow.domain.keys import original_key
from mediaflow.domain.records import Asset, Upload
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.services.uploads.counting import IDLE_SECONDS, LOST_CHUNKS
from mediaflow.services.uploads.ingest import ChunkReceipt
from mediaflow.services.uploads.quotas import Quotas
from tests.services.world import World, make_world

CHUNK = 1024


def announced(world: World, data: bytes, **fields: object) -> Upload:
    new = NewUpload(filename="clip.mp4", size_bytes=len(data), chunk_size_bytes=CHUNK, **fields)  # type: ignore[arg-type]
    return world.runtime.ingest.announce("ann", new)[0]


def chunk_of(upload: Upload, data: bytes, index: int) -> bytes:
    return data[index * upload.chunk_size_bytes : (index + 1) * upload.chunk_size_bytes]


def send(world: World, upload: Upload, data: bytes, index: int) -> ChunkReceipt:
    part = chunk_of(upload, data, index)
    return world.runtime.ingest.receive("ann", upload.id, index, [part], content_length=len(part), digest=None)


def assembled(world: World) -> None:
    for upload_id in world.wakeups.uploads:
        world.runtime.assembly.finish(upload_id)


@pytest.mark.parametrize(
    ("fields", "error", "pointer"),
    [
        ({"size_bytes": 0}, InvalidInput, "/size_bytes"),
        ({"size_bytes": -1}, InvalidInput, "/size_bytes"),
        ({"size_bytes": 10**15}, TooLarge, "/size_bytes"),
        ({"size_bytes": 10, "profile": "web-h265"}, InvalidInput, "/profile"),
    ],
)
def test_an_announcement_that_can_not_be_kept_names_its_field(
    world: World, fields: dict[str, object], error: type[MediaflowError], pointer: str
) -> None:
    with pytest.raises(error) as caught:
        world.runtime.ingest.announce("ann", NewUpload(filename="clip.mp4", **fields))  # type: ignore[arg-type]
    assert caught.value.problems[0].pointer == pointer
    assert world.runtime.database.uploads.count({}) == 0


def test_chunks_in_any_order_become_the_original_and_one_job(world: World) -> None:
    data = random.Random(1).randbytes(5 * CHUNK + 7)
    upload = announced(world, data, sha256=hashlib.sha256(data).hexdigest())
    for index in (5, 0, 3, 1, 4, 2):
        assert not send(world, upload, data, index).duplicate
    assembled(world)

    asset = world.runtime.database.assets.get(upload.asset_id)
    assert asset is not None
    assert asset.original_key is not None
    assert asset.original_key.startswith(original_key("ann", hashlib.sha256(data).hexdigest()))
    assert b"".join(world.runtime.storage.read(asset.original_key)) == data
    assert (asset.state, asset.sha256) == ("processing", hashlib.sha256(data).hexdigest())
    assert world.runtime.database.jobs.count({"asset_id": upload.asset_id}) == 1
    assert world.runtime.storage.stat(upload.storage_key) is None


def test_parallel_chunks_from_many_threads_all_arrive(world: World) -> None:
    data = random.Random(2).randbytes(32 * CHUNK)
    upload = announced(world, data)
    threads = [threading.Thread(target=send, args=(world, upload, data, index)) for index in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assembled(world)
    status = world.runtime.ingest.status("ann", upload.id)
    assert (status.upload.state, status.missing, status.progress) == ("queued", [], 1.0)


def test_the_same_bytes_again_are_a_duplicate_in_every_later_state_and_other_bytes_a_conflict(world: World) -> None:
    data = b"a" * CHUNK + b"b" * 10
    upload = announced(world, data)
    send(world, upload, data, 0)
    assert send(world, upload, data, 0).duplicate
    with pytest.raises(Conflict) as caught:
        send(world, upload, b"x" * len(data), 0)
    assert caught.value.code == "upload.chunk_differs"
    send(world, upload, data, 1)
    assembled(world)
    assert send(world, upload, data, 0).duplicate


@pytest.mark.parametrize("length", [0, CHUNK - 1, CHUNK + 1])
def test_a_chunk_of_another_length_is_refused_and_nothing_of_it_kept(world: World, length: int) -> None:
    upload = announced(world, b"a" * 3 * CHUNK)
    with pytest.raises(InvalidInput) as caught:
        world.runtime.ingest.receive("ann", upload.id, 1, [b"a" * length], content_length=None, digest=None)
    assert caught.value.code == "upload.chunk_length"
    assert world.runtime.ingest.status("ann", upload.id).missing == [(0, 2)]


def test_a_chunk_that_does_not_match_its_digest_is_refused_and_can_be_sent_again(world: World) -> None:
    data = b"a" * CHUNK
    upload = announced(world, data)
    with pytest.raises(InvalidInput) as caught:
        world.runtime.ingest.receive("ann", upload.id, 0, [data], content_length=CHUNK, digest=b"0" * 32)
    assert caught.value.code == "upload.digest_mismatch"
    digest = hashlib.sha256(data).digest()
    receipt = world.runtime.ingest.receive("ann", upload.id, 0, [data], content_length=CHUNK, digest=digest)
    assert not receipt.duplicate


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_a_chunk_that_the_upload_does_not_have_is_refused(world: World, index: int) -> None:
    upload = announced(world, b"a" * 3 * CHUNK)
    with pytest.raises(InvalidInput) as caught:
        world.runtime.ingest.receive("ann", upload.id, index, [b"a"], content_length=1, digest=None)
    assert caught.value.code == "upload.chunk_index"


@contextmanager
def half_written(world: World, upload: Upload, data: bytes) -> Iterator[Callable[[], None]]:
    """A request that stands still in the middle of the first chunk until it is told to go on to its end."""
    inside, leave = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield data[:500]
        inside.set()
        leave.wait(10)
        yield data[500:]

    def write() -> None:
        with suppress(Busy, NotFound):
            world.runtime.ingest.receive("ann", upload.id, 0, slow(), content_length=None, digest=None)

    def go_on() -> None:
        leave.set()
        writer.join()

    writer = threading.Thread(target=write)
    writer.start()
    assert inside.wait(10)
    try:
        yield go_on
    finally:
        go_on()


def test_a_chunk_that_another_request_is_writing_is_busy(world: World) -> None:
    data = b"a" * CHUNK
    upload = announced(world, data)
    with half_written(world, upload, data) as go_on:
        with pytest.raises(Busy):
            send(world, upload, data, 0)
        go_on()
        assert send(world, upload, data, 0).duplicate


@pytest.mark.parametrize("assembled_first", [False, True])
def test_a_request_that_stood_still_does_not_change_what_another_sent(world: World, assembled_first: bool) -> None:
    # given: a chunk that was taken over from a request that stood still for longer than its lease
    data = b"a" * CHUNK
    upload = announced(world, data)
    with half_written(world, upload, b"b" * CHUNK) as go_on:
        (chunk,) = world.runtime.database.chunks.find({"upload_id": upload.id})
        world.runtime.database.chunks.change(chunk.id, {}, {"lease_until": 0.0})
        assert not send(world, upload, data, 0).duplicate

        # when: it goes on, before or after the file is put together
        if not assembled_first:
            go_on()
        assembled(world)

    # then
    assert [b"".join(world.runtime.storage.read(found.key)) for found in world.runtime.storage.list("")] == [data]


def test_a_declared_checksum_that_is_wrong_fails_the_upload_before_anything_is_processed(world: World) -> None:
    data = b"a" * 10
    upload = announced(world, data, sha256="0" * 64)
    send(world, upload, data, 0)
    assembled(world)
    status = world.runtime.ingest.status("ann", upload.id)
    asset = world.runtime.database.assets.get(upload.asset_id)
    assert status.upload.state == "failed"
    assert status.upload.error is not None
    assert status.upload.error["code"] == "upload.checksum_mismatch"
    assert asset is not None
    assert asset.state == "failed"
    assert world.runtime.database.jobs.count({}) == 0
    assert list(world.runtime.storage.list("")) == []


def test_completing_with_chunks_missing_tells_which_and_completing_again_is_harmless(world: World) -> None:
    data = b"a" * 5 * CHUNK
    upload = announced(world, data, auto_complete=False)
    send(world, upload, data, 2)
    with pytest.raises(Conflict) as caught:
        world.runtime.ingest.complete("ann", upload.id)
    assert caught.value.facts["missing"] == [(0, 1), (3, 4)]
    for index in (0, 1, 3, 4):
        send(world, upload, data, index)
    assert world.runtime.ingest.status("ann", upload.id).upload.state == "receiving"
    for _ in range(3):
        world.runtime.ingest.complete("ann", upload.id)
        assembled(world)
    assert world.runtime.database.jobs.count({}) == 1


def test_an_aborted_upload_leaves_nothing_behind(world: World) -> None:
    data = b"a" * 3 * CHUNK
    upload = announced(world, data)
    send(world, upload, data, 1)
    world.runtime.ingest.abort("ann", upload.id)
    world.runtime.ingest.abort("ann", upload.id)
    assert list(world.runtime.storage.list("")) == []
    assert world.runtime.database.assets.get(upload.asset_id) is None
    assert world.runtime.database.chunks.count({}) == 0
    with pytest.raises(Conflict):
        send(world, upload, data, 0)


def test_an_upload_of_somebody_else_does_not_exist(world: World) -> None:
    upload = announced(world, b"a")
    for call in (world.runtime.ingest.status, world.runtime.ingest.complete, world.runtime.ingest.abort):
        with pytest.raises(NotFound):
            call("bob", upload.id)


def test_the_bytes_of_one_owner_are_shared_and_of_two_owners_are_not(world: World) -> None:
    data = b"same bytes"
    for owner in ("ann", "ann", "bob"):
        new = NewUpload(filename="clip.mp4", size_bytes=len(data))
        upload, _ = world.runtime.ingest.announce(owner, new)
        world.runtime.ingest.receive(owner, upload.id, 0, [data], content_length=None, digest=None)
    assembled(world)
    originals = [info.key for info in world.runtime.storage.list("originals/")]
    assert len(originals) == 2
    assert world.runtime.database.jobs.count({}) == 3


def test_reuse_answers_with_the_asset_that_is_there(world: World) -> None:
    data = b"known"
    sha256 = hashlib.sha256(data).hexdigest()
    first = announced(world, data)
    send(world, first, data, 0)
    assembled(world)
    new = NewUpload(filename="again.mp4", size_bytes=len(data), sha256=sha256, dedup="reuse")
    again, reused = world.runtime.ingest.announce("ann", new)
    other, reused_by_other = world.runtime.ingest.announce("bob", new)
    assert (again.asset_id, reused) == (first.asset_id, True)
    assert not reused_by_other
    assert other.asset_id != first.asset_id


def test_an_upload_that_nobody_completes_expires(world: World, tmp_path: Path) -> None:
    short = make_world(tmp_path / "short", upload_expiry_seconds="1")
    data = b"a" * 2 * CHUNK
    upload = announced(short, data)
    send(short, upload, data, 0)
    expired = short.runtime.database.uploads.change(upload.id, {}, {"expires_at": 1.0})
    assert expired is not None
    short.runtime.reconciler.sweep()
    assert short.runtime.ingest.status("ann", upload.id).upload.state == "expired"
    assert list(short.runtime.storage.list("")) == []
    short.runtime.close()


class Died(BaseException):
    """A process ended here."""


@pytest.mark.parametrize("end", ["before", "after"])
def test_an_announcement_that_is_cut_short_leaves_nothing_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Seen: a web process was killed between both records, and an asset stayed that nothing would ever end."""
    admit = Quotas.admit

    def dying(quotas: Quotas, asset: Asset) -> None:
        if end == "after":
            admit(quotas, asset)
        raise Died

    monkeypatch.setattr(Quotas, "admit", dying)
    with pytest.raises(Died):
        announced(world, b"x")
    database = world.runtime.database
    (upload,) = database.uploads.find({})
    assert database.uploads.change(upload.id, {}, {"expires_at": 1.0})
    world.runtime.reconciler.sweep()
    assert [found.state for found in database.uploads.find({})] == ["expired"]
    assert database.assets.count({}) == 0
    assert list(world.runtime.storage.list("")) == []


class Uploading(RuleBasedStateMachine):
    """Any order of sending, repeating, completing, assembling and aborting keeps the invariants of an upload."""

    world: World
    data = random.Random(3).randbytes(3 * CHUNK + 5)

    def __init__(self) -> None:
        super().__init__()
        self.upload = announced(self.world, self.data, auto_complete=False)
        self.sent: set[int] = set()
        self.aborted = self.completed = False

    @rule(index=st.integers(0, 3))
    def send(self, index: int) -> None:
        try:
            receipt = send(self.world, self.upload, self.data, index)
        except Conflict:
            assert self.aborted or (self.completed and index not in self.sent)
        else:
            assert receipt.duplicate == (index in self.sent)
            assert not self.aborted
            self.sent.add(index)

    @rule()
    def complete(self) -> None:
        try:
            self.world.runtime.ingest.complete("ann", self.upload.id)
        except Conflict:
            assert self.aborted or len(self.sent) < 4
        else:
            assert len(self.sent) == 4
            self.completed = True

    @rule()
    def assemble(self) -> None:
        self.world.runtime.assembly.finish(self.upload.id)

    @precondition(lambda self: not self.aborted)
    @rule()
    def abort(self) -> None:
        try:
            self.world.runtime.ingest.abort("ann", self.upload.id)
        except Conflict:
            assert self.completed
        else:
            assert not self.completed
            self.aborted = True

    @invariant()
    def one_upload_makes_at_most_one_job(self) -> None:
        jobs = self.world.runtime.database.jobs.count({"asset_id": self.upload.asset_id})
        state = self.world.runtime.ingest.status("ann", self.upload.id).upload.state
        assert jobs == (1 if state == "queued" else 0)

    @invariant()
    def what_is_recorded_is_what_was_sent(self) -> None:
        where = {"upload_id": self.upload.id, "state": "received"}
        recorded = {chunk.index for chunk in self.world.runtime.database.chunks.find(where)}
        assert recorded == (set() if self.aborted else self.sent)


def test_any_order_of_events_keeps_the_invariants(world: World) -> None:
    class Machine(Uploading):
        pass

    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )


def test_a_receipt_of_many_chunks_counts_none_of_them_before_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(1).randbytes(200 * CHUNK)
    upload, chunks = announced(world, data), world.runtime.database.chunks
    counted: list[int] = []
    count = type(chunks).count

    def counting(self: object, where: object) -> int:
        if self is chunks:
            counted.append(len(told))
        return count(self, where)  # type: ignore[arg-type]

    monkeypatch.setattr(type(chunks), "count", counting)
    told: list[ChunkReceipt] = []
    for index in range(200):
        told.append(send(world, upload, data, index))

    assert [receipt.received_chunks for receipt in told] == list(range(1, 201))
    assert min(counted) >= 200 - LOST_CHUNKS - 1
    assembled(world)
    assert world.runtime.ingest.status("ann", upload.id).upload.state == "queued"


def test_the_last_chunk_is_noticed_though_many_before_it_were_not_counted(world: World) -> None:
    data = random.Random(2).randbytes(60 * CHUNK)
    upload, uploads = announced(world, data), world.runtime.database.uploads
    for index in range(60):
        send(world, upload, data, index)
        if index < 30:  # its process died
            uploads.change(upload.id, {}, {"counted_chunks": 0})
    assert world.runtime.ingest.status("ann", upload.id).upload.state == "receiving"

    uploads.change(upload.id, {}, {"updated_at": world.runtime.database.now() - 1.5 * IDLE_SECONDS})
    world.runtime.reconciler.sweep()

    assert world.runtime.ingest.status("ann", upload.id).upload.state in ("assembling", "stored", "queued")
