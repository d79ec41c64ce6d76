"""Bytes in a row against a model: whatever breaks off, disagrees or is taken over, what is told to be here is here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mediaflow.domain.errors import Conflict, MediaflowError, NotFound
from mediaflow.domain.transfers import Kind, Transfer
from mediaflow.services.upkeep.transfers import IDLE_SECONDS
from mediaflow.services.uploads import holding, pieces, transfers
from mediaflow.services.uploads.appending import Wrong
from mediaflow.services.uploads.holding import Let
from mediaflow.services.uploads.transfers import Transfers
from tests.services.world import World, make_world

CHUNK: Final = 1024
SAID: Final = {"filename": "clip.mp4"}
LONGEST: Final = 12_000
FILE: Final = bytes((n * 7 + n // 251) % 256 for n in range(LONGEST))


class Broken(Exception):
    """The connection ended."""


class Digest:
    """What a request says of its bytes."""

    def __init__(self, expected: bytes) -> None:
        self.digest, self.expected = hashlib.sha1(), expected

    def update(self, block: bytes, /) -> None:
        self.digest.update(block)

    def agrees(self) -> bool:
        return self.digest.digest() == self.expected


def blocks(data: bytes, *, breaks: bool = False, size: int = 700) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
    if breaks:
        raise Broken


@pytest.fixture(autouse=True, scope="module")
def small_ones() -> Iterator[None]:
    """Chunks and pieces of a size that examples reach, and nobody patient: each taking over waits as long as that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holding, "PATIENCE_SECONDS", 0.01)
        patch.setattr(holding, "POLL_SECONDS", 0.002)
        patch.setattr(transfers, "CHUNK_BYTES", CHUNK)
        patch.setattr("mediaflow.services.uploads.appending.PIECE_BYTES", 3000)
        patch.setattr(pieces, "SMALL_BYTES", 500)
        patch.setattr(pieces, "MOST_SMALL", 4)
        yield


class Machine(RuleBasedStateMachine):
    """One file, from its creation to its asset."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.world = make_world(Path(self.directory.name))
        self.service = self.world.runtime.transfers
        self.known, self.length, self.id = 0, 0, ""

    def teardown(self) -> None:
        self.world.runtime.close()
        self.directory.cleanup()

    def now(self) -> Transfer:
        return self.service.owned("ann", self.id)

    def append(self, offset: int, data: Iterator[bytes], **said: Any) -> Transfer:
        return self.service.append("ann", self.id, offset, data, **said)

    @precondition(lambda self: not self.id)
    @rule(length=st.integers(1, LONGEST), deferred=st.booleans(), partial=st.booleans())
    def create(self, length: int, deferred: bool, partial: bool) -> None:
        kind: Kind = "partial" if partial else "whole"
        self.length = length
        self.id = self.service.create("ann", SAID, "", length=None if deferred else length, kind=kind).id

    @precondition(lambda self: self.id and self.known < self.length)
    @rule(size=st.integers(0, 5000), breaks=st.booleans())
    def send(self, size: int, breaks: bool) -> None:
        data = FILE[self.known : min(self.length, self.known + size)]
        if breaks and len(data) + self.known < self.length:
            with pytest.raises(Broken):
                self.append(self.known, blocks(data, breaks=True))
        else:
            self.append(self.known, blocks(data))
        self.known += len(data)

    @precondition(lambda self: self.id and self.known < self.length)
    @rule(size=st.one_of(st.integers(1, 5000), st.just(CHUNK)), right=st.booleans(), breaks=st.booleans())
    def send_verified(self, size: int, right: bool, breaks: bool) -> None:
        """As one request of a known length, which may be just that of a chunk."""
        data = FILE[self.known : min(self.length, self.known + size)]
        verifier = Digest(hashlib.sha1(data if right else data + b"x").digest())
        if right and not breaks:
            self.append(self.known, blocks(data), verifier=verifier, announced=len(data))
            self.known += len(data)
        else:
            with pytest.raises(Broken if breaks else Wrong):
                self.append(self.known, blocks(data, breaks=breaks), verifier=verifier, announced=len(data))

    @precondition(lambda self: self.id and self.known < self.length)
    @rule(off=st.integers(-5000, 5000).filter(bool))
    def send_elsewhere(self, off: int) -> None:
        with pytest.raises(Conflict):
            self.append(self.known + off, blocks(b"x"))

    @precondition(lambda self: self.id and self.known < self.length)
    @rule(before=st.integers(0, 3000), after=st.integers(0, 3000))
    def be_taken_over(self, before: int, after: int) -> None:
        """Another request goes on while one stands still between two blocks, and the first one then goes on, too."""
        first = FILE[self.known : min(self.length, self.known + before)]
        stood_at = self.known

        def standing() -> Iterator[bytes]:
            yield from blocks(first)
            with self.service.holding.held(self.id) as held:
                self.known = held.offset
                data = FILE[self.known : min(self.length, self.known + after)]
                self.service.appending.take(held, iter([data]))
                self.known += len(data)
            yield FILE[stood_at + len(first) : self.length] or b"x"

        with pytest.raises((Let, MediaflowError)):
            self.append(stood_at, standing())
        self.known = self.service.status("ann", self.id).offset
        if self.known == self.length:
            self.append(self.known, blocks(b""))

    @precondition(lambda self: self.id)
    @rule()
    def declare_the_length(self) -> None:
        if self.now().length is None:
            self.append(self.known, blocks(b""), length=self.length)

    @invariant()
    def what_is_told_is_here(self) -> None:
        if not self.id:
            return
        transfer, runtime = self.now(), self.world.runtime
        if transfer.state == "complete" and transfer.kind == "whole":
            self._is_the_asset(transfer)
            return
        assert transfer.offset == self.known
        tail = b"".join(self.service.appending.pieces.read(transfer.pieces))
        assert tail == FILE[transfer.poured : self.known]
        chunks = runtime.database.chunks.find({"upload_id": transfer.upload_id, "state": "received"}, sort=("index",))
        for chunk in chunks[: transfer.poured // CHUNK]:
            data = FILE[chunk.index * CHUNK : min(self.length, (chunk.index + 1) * CHUNK)]
            assert chunk.sha256 == hashlib.sha256(data).hexdigest()
        kept = {info.key for info in runtime.storage.list("pieces/")}
        assert kept == {piece["key"] for piece in transfer.pieces}, "nothing is left behind"

    def _is_the_asset(self, transfer: Transfer) -> None:
        runtime = self.world.runtime
        runtime.assembly.finish(transfer.upload_id)
        asset = runtime.database.assets.get(transfer.asset_id)
        assert asset is not None
        assert asset.original_key is not None
        assert b"".join(runtime.storage.read(asset.original_key)) == FILE[: self.length]
        assert list(runtime.storage.list("pieces/")) == []


@pytest.mark.parametrize("programs", [30, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_whatever_happens_the_bytes_are_those_that_were_sent(programs: int) -> None:
    often = settings(max_examples=programs, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Machine, settings=often)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = make_world(tmp_path / "data")
    yield world
    world.runtime.close()


@pytest.mark.parametrize("kind", ["whole", "partial"])
def test_what_expires_is_removed_with_its_bytes(world: World, kind: Any) -> None:
    service, database = world.runtime.transfers, world.runtime.database
    transfer = service.create("ann", SAID, "", length=5000, kind=kind)
    service.append("ann", transfer.id, 0, blocks(FILE[:2500]))
    database.transfers.change(transfer.id, {}, {"expires_at": database.now() - 1})

    world.runtime.reconciler.sweep()

    with pytest.raises(NotFound):
        service.status("ann", transfer.id)
    assert [*world.runtime.storage.list("pieces/"), *world.runtime.storage.list("uploads/")] == []
    assert database.assets.get(transfer.asset_id) is None


def test_a_byte_a_request_makes_neither_a_long_document_nor_many_objects(world: World) -> None:
    service = world.runtime.transfers
    transfer = service.create("ann", SAID, "", length=5000, kind="partial")
    for offset in range(300):
        service.append("ann", transfer.id, offset, blocks(FILE[offset : offset + 1]))
        assert len(list(world.runtime.storage.list("pieces/"))) <= 2 * pieces.MOST_SMALL
    assert len(service.owned("ann", transfer.id).pieces) <= 2 * pieces.MOST_SMALL


@pytest.mark.parametrize("opened", [False, True])
def test_one_of_which_all_is_here_is_completed_though_nobody_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, opened: bool
) -> None:
    """Its process died before it did that, or its client before it said that this was all."""
    service, database = world.runtime.transfers, world.runtime.database
    transfer = service.create("ann", SAID, "", length=5000, opened=opened)
    monkeypatch.setattr(Transfers, "_finished", lambda _, held: held)
    service.append("ann", transfer.id, 0, blocks(FILE[:5000]))
    monkeypatch.undo()
    assert database.transfers.get(transfer.id).state == "receiving"  # type: ignore[union-attr]

    world.runtime.reconciler.sweep()
    assert database.transfers.get(transfer.id).state == "receiving"  # type: ignore[union-attr]
    database.transfers.change(transfer.id, {}, {"updated_at": database.now() - IDLE_SECONDS - 1})
    world.runtime.reconciler.sweep()

    assert service.status("ann", transfer.id).state == "complete"
    world.runtime.assembly.finish(transfer.upload_id)
    asset = database.assets.get(transfer.asset_id)
    assert asset is not None
    assert asset.original_key is not None


def test_who_asks_completes_one_of_which_all_is_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    service = world.runtime.transfers
    transfer = service.create("ann", SAID, "", length=5000)
    monkeypatch.setattr(Transfers, "_finished", lambda _, held: held)
    service.append("ann", transfer.id, 0, blocks(FILE[:5000]))
    monkeypatch.undo()

    assert service.status("ann", transfer.id).state == "complete"


def test_a_verified_chunk_is_written_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    service = world.runtime.transfers
    transfer = service.create("ann", SAID, "", length=3 * CHUNK)
    monkeypatch.setattr(pieces.Pieces, "keep", lambda *_: pytest.fail("as a piece"))
    for begin in range(0, 3 * CHUNK, CHUNK):
        data = FILE[begin : begin + CHUNK]
        wrong = Digest(b"x")
        with pytest.raises(Wrong):
            service.append("ann", transfer.id, begin, blocks(data), verifier=wrong, announced=CHUNK)
        right = Digest(hashlib.sha1(data).digest())
        service.append("ann", transfer.id, begin, blocks(data), verifier=right, announced=CHUNK)
    world.runtime.assembly.finish(transfer.upload_id)
    asset = world.runtime.database.assets.get(transfer.asset_id)
    assert asset is not None
    assert asset.original_key is not None
    assert b"".join(world.runtime.storage.read(asset.original_key)) == FILE[: 3 * CHUNK]
