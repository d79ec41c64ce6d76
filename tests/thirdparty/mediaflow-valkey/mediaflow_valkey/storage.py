"""An object is a record {size, at, blocks: [[name, bytes], ...]} in the hash `objects`; its blocks are strings.

Blocks are written first, with an end of life; a script then makes them an object's in one move: record, index, no more
end, and a near one for the blocks that they replace, which somebody may still read. A crash leaves nothing for ever.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from redis import Redis, RedisError

import mediaflow.plugin as mf

PAGE = 500
COMMIT = """
local key, record, parts = ARGV[1], ARGV[2], ARGV[3]
if parts ~= '' and redis.call('HSETNX', parts, 'done', record) == 0 then return redis.call('HGET', parts, 'done') end
local old = redis.call('HGET', 'objects', key)
if old then for _, block in ipairs(cjson.decode(old).blocks) do redis.call('EXPIRE', block[1], 600) end end
redis.call('HDEL', 'objects', key)
redis.call('ZREM', 'index', key)
if record == '' then return record end
for _, block in ipairs(cjson.decode(record).blocks) do redis.call('PERSIST', block[1]) end
redis.call('HSET', 'objects', key, record)
redis.call('ZADD', 'index', 0, key)
return record
"""


@contextmanager
def translated() -> Iterator[None]:
    """The server's errors as those that mediaflow knows."""
    try:
        yield
    except RedisError as error:
        if str(error).startswith("OOM"):
            raise mf.InsufficientStorage("The storage's memory is full.") from error
        raise mf.Unavailable(f"The storage does not answer: {error}") from error


class ValkeyStorage:
    """Storage and ReceivesParts of mediaflow.plugin. Blocks that become no object's go after `unfinished_seconds`."""

    min_part_bytes = 1

    def __init__(self, client: Redis, *, unfinished_seconds: int) -> None:
        self._client, self._unfinished_seconds = client, unfinished_seconds
        self._commit = client.register_script(COMMIT)

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> mf.ObjectInfo:
        return self._made(mf.checked_key(key), self._written(blocks, size_bytes))

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        record = self._record(mf.checked_key(key))
        if offset < 0 or (length or 0) < 0:
            raise mf.InvalidInput(f"There is no range {offset}, {length}.", code="storage.bad_range")
        if record is None:
            raise mf.NotFound(f"There is no object {key!r}.", code="storage.no_object")
        return self._read(record, offset, record["size"] if length is None else offset + length)

    def stat(self, key: str) -> mf.ObjectInfo | None:
        record = self._record(mf.checked_key(key))
        return None if record is None else mf.ObjectInfo(key, record["size"], record["at"])

    def delete(self, key: str) -> None:
        with translated():
            self._commit(args=[mf.checked_key(key), "", ""])

    def list(self, prefix: str) -> Iterator[mf.ObjectInfo]:
        start, keys = f"[{prefix}" if prefix else "-", [""] * PAGE
        while len(keys) == PAGE:
            with translated():
                found = self._client.zrange("index", start, "+", bylex=True, offset=0, num=PAGE)
            keys = [key.decode() for key in found if key.startswith(prefix.encode())]
            yield from filter(None, map(self.stat, keys))
            start = f"({keys[-1]}" if keys else start

    def begin_parts(self, key: str, *, size_bytes: int, part_bytes: int, content_type: str) -> str:
        handle = f"parts:{mf.checked_key(key)}:{uuid4().hex}"
        with translated():
            self._client.hset(handle, "count", -(-size_bytes // part_bytes))
        return handle

    def put_part(self, key: str, handle: str, index: int, blocks: Iterable[bytes], *, offset: int, length: int) -> str:
        self._parts(handle)
        written = self._written(blocks, length)
        with translated():
            self._client.hset(handle, mapping={name: index for name, _ in written})
        return json.dumps([index, written])

    def complete_parts(self, key: str, handle: str, receipts: Sequence[str], *, size_bytes: int) -> mf.ObjectInfo:
        parts = self._parts(handle)
        if b"done" in parts:
            return _info(key, parts[b"done"])
        written = [json.loads(receipt) for receipt in receipts if receipt]
        blocks = [block for _, part in written for block in part]
        complete = [index for index, _ in written] == [*range(int(parts[b"count"]))]
        if not complete or sum(size for _, size in blocks) != size_bytes:
            raise mf.InvalidInput(f"The parts are not the {size_bytes} bytes of {key!r}.", code="storage.wrong_parts")
        return self._made(key, blocks, handle)

    def abort_parts(self, key: str, handle: str) -> None:
        with translated():
            parts = self._client.hgetall(handle) if handle.startswith("parts:") else {}
            blocks = [] if b"done" in parts else [name for name in parts if name.startswith(b"block:")]
            self._client.delete(handle, *blocks)

    def _written(self, blocks: Iterable[bytes], size_bytes: int) -> list[tuple[str, int]]:
        written: list[tuple[str, int]] = []
        for data in mf.exact_blocks(blocks, size_bytes):
            for block in (data[start : start + mf.BLOCK_BYTES] for start in range(0, len(data), mf.BLOCK_BYTES)):
                written.append((f"block:{uuid4().hex}", len(block)))
                with translated():
                    self._client.set(written[-1][0], block, ex=self._unfinished_seconds)
        return written

    def _made(self, key: str, blocks: Sequence[tuple[str, int]], parts: str = "") -> mf.ObjectInfo:
        record = {"size": sum(size for _, size in blocks), "at": time.time(), "blocks": blocks}
        with translated():
            return _info(key, self._commit(args=[key, json.dumps(record), parts]))

    def _read(self, record: dict[str, Any], first: int, end: int) -> Iterator[bytes]:
        place = 0
        for name, size in record["blocks"]:
            start, stop = max(first - place, 0), min(end - place, size)
            if start < stop:
                with translated():
                    data: bytes = self._client.getrange(name, start, stop - 1)
                if len(data) != stop - start:
                    raise mf.Unavailable("The object was replaced while it was read; read it again.")
                yield data
            place += size

    def _record(self, key: str) -> dict[str, Any] | None:
        with translated():
            record = self._client.hget("objects", key)
        return json.loads(record) if record else None

    def _parts(self, handle: str) -> dict[bytes, bytes]:
        with translated():
            parts = self._client.hgetall(handle) if handle.startswith("parts:") else {}
        if b"count" not in parts:
            raise mf.NotFound("There is no such upload in parts.", code="storage.no_parts")
        return parts


def _info(key: str, record: bytes) -> mf.ObjectInfo:
    made = json.loads(record)
    return mf.ObjectInfo(key, made["size"], made["at"])
