"""The contract of a storage that receives objects in parts; `StorageContract` includes it."""

# ruff: noqa: S101 - asserting is what tests do

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from mediaflow.plugin import InvalidInput, NotFound, ReceivesParts, Storage
from mediaflow.testing.bodies import MIB, Interrupted, blocks_of, content, raising

KIND = "video/mp4"


@dataclass(frozen=True)
class Transfer:
    """An object of two whole parts and a short one, on its way. `storage` is any view of the same storage."""

    key: str
    handle: str
    data: bytes
    part_bytes: int

    @property
    def indexes(self) -> range:
        """All parts."""
        return range(-(-len(self.data) // self.part_bytes))

    def part(self, index: int) -> bytes:
        """The bytes that belong there."""
        return self.data[index * self.part_bytes : (index + 1) * self.part_bytes]

    def send(self, storage: ReceivesParts, index: int, blocks: Iterator[bytes] | None = None) -> str:
        """Write a part: its bytes, or others in their place."""
        return storage.put_part(
            self.key,
            self.handle,
            index,
            blocks if blocks is not None else blocks_of(self.part(index)),
            offset=index * self.part_bytes,
            length=len(self.part(index)),
        )

    def complete(self, storage: ReceivesParts, receipts: list[str]) -> Any:
        """Turn it into the object."""
        return storage.complete_parts(self.key, self.handle, receipts, size_bytes=len(self.data))


class PartsContract:
    """Every sentence of `mediaflow.plugin.ReceivesParts`."""

    @pytest.fixture
    def receiver(self, storage: Storage) -> ReceivesParts:
        """The storage, when it receives parts."""
        if not isinstance(storage, ReceivesParts):
            pytest.skip("the storage does not receive parts")
        return storage

    @pytest.fixture
    def opened_again(self) -> Callable[[], Any]:
        """Opens the same storage as another process would: override this fixture."""
        pytest.skip("no fixture `opened_again` is given")

    @pytest.fixture
    def begin(self, receiver: ReceivesParts, area: str) -> Iterator[Callable[..., Transfer]]:
        """Begins transfers; what is left of them is aborted afterwards."""
        begun: list[Transfer] = []

        def begin(name: str = "object", seed: int = 1, size: int | None = None) -> Transfer:
            part_bytes = max(receiver.min_part_bytes, 100_000)
            data = content(2 * part_bytes + 777 if size is None else size, seed)
            key = area + name
            handle = receiver.begin_parts(key, size_bytes=len(data), part_bytes=part_bytes, content_type=KIND)
            begun.append(Transfer(key, handle, data, part_bytes))
            return begun[-1]

        yield begin
        for transfer in begun:
            receiver.abort_parts(transfer.key, transfer.handle)

    def test_parts_in_any_order_and_in_parallel_make_the_object(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer], area: str
    ) -> None:
        transfer = begin()
        with ThreadPoolExecutor(4) as pool:
            sent = {index: pool.submit(transfer.send, receiver, index) for index in reversed(transfer.indexes)}
        assert list(storage.list(area)) == [], "nothing is visible before it is complete"
        assert storage.stat(transfer.key) is None
        info = transfer.complete(receiver, [sent[index].result() for index in transfer.indexes])
        assert (info.key, info.size_bytes) == (transfer.key, len(transfer.data))
        assert b"".join(storage.read(transfer.key)) == transfer.data
        assert [found.key for found in storage.list(area)] == [transfer.key]

    def test_one_part_may_be_smaller_than_the_smallest(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin(size=5)
        transfer.complete(receiver, [transfer.send(receiver, 0)])
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_a_part_may_be_written_again_and_the_last_bytes_count(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        transfer.send(receiver, 0, blocks_of(content(transfer.part_bytes, seed=99)))
        receipts = [transfer.send(receiver, index) for index in transfer.indexes]
        transfer.complete(receiver, receipts)
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_who_goes_on_after_another_wrote_the_same_part_changes_nothing_unseen(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer, receipts = begin(), list[str]()
        other = content(transfer.part_bytes, seed=99)

        def overtaken() -> Iterator[bytes]:
            yield other[: transfer.part_bytes // 2]
            receipts.append(transfer.send(receiver, 0))
            yield other[transfer.part_bytes // 2 :]

        with suppress(Exception):
            transfer.send(receiver, 0, overtaken())
        receipts += [transfer.send(receiver, index) for index in (1, 2)]
        with suppress(InvalidInput):
            transfer.complete(receiver, receipts)
        # then: what the receipts tell of, or nothing
        assert storage.stat(transfer.key) is None or b"".join(storage.read(transfer.key)) == transfer.data

    @pytest.mark.parametrize("error", [Interrupted("stop"), ConnectionResetError("reset")])
    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_a_part_whose_body_raises_counts_as_not_written(
        self,
        storage: Storage,
        receiver: ReceivesParts,
        begin: Callable[..., Transfer],
        error: Exception,
        share: float,
    ) -> None:
        transfer = begin()
        receipts = [transfer.send(receiver, index) for index in (1, 2)]
        wrong = content(int(transfer.part_bytes * share), seed=99)
        with pytest.raises(type(error)) as caught:
            transfer.send(receiver, 0, raising(wrong, error))
        assert caught.value is error
        with pytest.raises(InvalidInput) as refused:
            transfer.complete(receiver, ["", *receipts])
        assert refused.value.code == "storage.wrong_parts"
        assert storage.stat(transfer.key) is None
        transfer.complete(receiver, [transfer.send(receiver, 0), *receipts])
        assert b"".join(storage.read(transfer.key)) == transfer.data

    @pytest.mark.parametrize("difference", [-1, 1])
    def test_a_part_of_another_length_is_refused_and_harms_no_neighbour(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer], difference: int
    ) -> None:
        transfer = begin()
        last = transfer.send(receiver, 1)
        with pytest.raises(InvalidInput) as caught:
            transfer.send(receiver, 0, blocks_of(content(transfer.part_bytes + difference, seed=99)))
        assert caught.value.code == "storage.wrong_length"
        receipts = [transfer.send(receiver, 0), last, transfer.send(receiver, 2)]
        transfer.complete(receiver, receipts)
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_a_missing_part_is_noticed(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        first, last = transfer.send(receiver, 0), transfer.send(receiver, 2)
        for receipts in ([first, last], [first, first, last], [first]):
            with pytest.raises(InvalidInput) as caught:
                transfer.complete(receiver, receipts)
            assert caught.value.code == "storage.wrong_parts"
        assert storage.stat(transfer.key) is None
        transfer.complete(receiver, [first, transfer.send(receiver, 1), last])
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_another_size_than_that_of_the_parts_is_refused(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        receipts = [transfer.send(receiver, index) for index in transfer.indexes]
        with pytest.raises(InvalidInput) as caught:
            receiver.complete_parts(transfer.key, transfer.handle, receipts, size_bytes=len(transfer.data) - 1)
        assert caught.value.code == "storage.wrong_parts"
        assert storage.stat(transfer.key) is None

    def test_completing_again_returns_the_same_object(
        self, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        receipts = [transfer.send(receiver, index) for index in transfer.indexes]
        assert transfer.complete(receiver, receipts) == transfer.complete(receiver, receipts)

    def test_completing_from_several_sides_at_once_makes_one_object(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        receipts = [transfer.send(receiver, index) for index in transfer.indexes]
        with ThreadPoolExecutor(4) as pool:
            infos = list(pool.map(lambda _: transfer.complete(receiver, receipts), range(4)))
        assert {(info.key, info.size_bytes) for info in infos} == {(transfer.key, len(transfer.data))}
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_an_older_object_stays_until_the_new_one_is_complete(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        storage.put(transfer.key, [b"old"], size_bytes=3, content_type=KIND)
        receipts = [transfer.send(receiver, index) for index in transfer.indexes]
        assert b"".join(storage.read(transfer.key)) == b"old"
        transfer.complete(receiver, receipts)
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_an_unknown_handle_is_refused(self, receiver: ReceivesParts, area: str) -> None:
        transfer = Transfer(area + "object", "no-such-handle", b"12345", 5)
        for operation in (lambda: transfer.send(receiver, 0), lambda: transfer.complete(receiver, [""])):
            with pytest.raises(NotFound) as caught:
                operation()
            assert caught.value.code == "storage.no_parts"
        receiver.abort_parts(transfer.key, transfer.handle)

    def test_after_an_abort_the_handle_is_unknown(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer], area: str
    ) -> None:
        transfer = begin()
        receipts = [transfer.send(receiver, index) for index in transfer.indexes]
        for _ in range(2):
            receiver.abort_parts(transfer.key, transfer.handle)
        for operation in (lambda: transfer.send(receiver, 2), lambda: transfer.complete(receiver, receipts)):
            with pytest.raises(NotFound) as caught:
                operation()
            assert caught.value.code == "storage.no_parts"
        assert list(storage.list(area)) == []

    def test_an_abort_after_completion_harms_nothing(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        transfer.complete(receiver, [transfer.send(receiver, index) for index in transfer.indexes])
        receiver.abort_parts(transfer.key, transfer.handle)
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_two_transfers_to_one_key_do_not_mix(
        self, storage: Storage, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        one, two = begin(seed=1), begin(seed=2)
        assert one.handle != two.handle
        receipts = {transfer.handle: [transfer.send(receiver, 0)] for transfer in (one, two)}
        for transfer in (two, one):
            receipts[transfer.handle] += [transfer.send(receiver, index) for index in (1, 2)]
        one.complete(receiver, receipts[one.handle])
        receiver.abort_parts(two.key, two.handle)
        assert b"".join(storage.read(one.key)) == one.data

    def test_a_handle_is_valid_in_every_process(
        self, storage: Storage, opened_again: Callable[[], Any], begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        receipts = [transfer.send(opened_again(), index) for index in transfer.indexes]
        transfer.complete(opened_again(), receipts)
        assert b"".join(storage.read(transfer.key)) == transfer.data

    def test_a_part_passes_through_and_is_never_held_whole(
        self, receiver: ReceivesParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin(size=16 * MIB)
        block = content(MIB)
        begin("warm", size=5).send(receiver, 0)
        handle = receiver.begin_parts(transfer.key, size_bytes=16 * MIB, part_bytes=16 * MIB, content_type=KIND)
        tracemalloc.start()
        try:
            receiver.put_part(transfer.key, handle, 0, (block for _ in range(16)), offset=0, length=16 * MIB)
            assert tracemalloc.get_traced_memory()[1] < 4 * MIB
        finally:
            tracemalloc.stop()
            receiver.abort_parts(transfer.key, handle)
