"""The contract of a storage that can tell of the parts that it receives; `StorageContract` includes it."""

# ruff: noqa: S101 - asserting is what tests do

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mediaflow.plugin import KnowsParts, ReceivesParts, Storage
from mediaflow.testing.bodies import Interrupted, raising
from mediaflow.testing.storage_parts import PartsContract, Transfer


class ReceptionsContract(PartsContract):
    """Every sentence of `mediaflow.plugin.KnowsParts`."""

    @pytest.fixture
    def knower(self, storage: Storage) -> KnowsParts:
        """The storage, when it can tell of parts."""
        if not isinstance(storage, KnowsParts):
            pytest.skip("the storage does not tell of its parts")
        return storage

    def test_it_tells_which_parts_have_come(
        self, receiver: ReceivesParts, knower: KnowsParts, begin: Callable[..., Transfer]
    ) -> None:
        transfer = begin()
        assert knower.parts_of(transfer.key, transfer.handle) == {}
        receipts = {index: transfer.send(receiver, index) for index in (2, 0)}
        with pytest.raises(Interrupted):
            transfer.send(receiver, 1, raising(transfer.part(1)[:9], Interrupted("stop")))
        assert knower.parts_of(transfer.key, transfer.handle) == {index: len(transfer.part(index)) for index in (0, 2)}
        receipts[1] = transfer.send(receiver, 1)
        transfer.complete(receiver, [receipts[index] for index in transfer.indexes])
        assert not knower.parts_of(transfer.key, transfer.handle)

    @pytest.mark.parametrize("handle", ["no-such-handle", "0" * 16 + "-" + "0" * 32])
    def test_it_knows_no_parts_of_an_unknown_handle(self, knower: KnowsParts, area: str, handle: str) -> None:
        assert knower.parts_of(area + "object", handle) is None

    def test_what_is_open_is_listed_until_it_is_completed_aborted_or_discarded(
        self, receiver: ReceivesParts, knower: KnowsParts, begin: Callable[..., Transfer]
    ) -> None:
        transfers = [begin(name, size=5) for name in ("kept", "completed", "aborted", "discarded")]
        handles = {transfer.handle for transfer in transfers}
        listed = {found.handle: found for found in knower.receptions()}
        assert handles <= listed.keys()
        for transfer in transfers:
            assert listed[transfer.handle].key in (None, transfer.key)
            assert abs(listed[transfer.handle].changed_at - time.time()) < 3600
        kept, completed, aborted, discarded = transfers
        completed.complete(receiver, [completed.send(receiver, 0)])
        receiver.abort_parts(aborted.key, aborted.handle)
        for _ in range(2):
            knower.discard(listed[discarded.handle])
        assert handles & {found.handle for found in knower.receptions()} == {kept.handle}
        assert knower.parts_of(discarded.key, discarded.handle) is None
