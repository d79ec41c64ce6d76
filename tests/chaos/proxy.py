"""A TCP proxy that misbehaves on demand: between a service and what it depends on."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Mode = Literal["ok", "cut", "hang", "slow", "reset"]
SLOW_SECONDS: Final = 2.0
BLOCK_BYTES: Final = 64 * 1024


@dataclass
class Proxy:
    """`cut`: nobody can connect, what was connected is closed. `hang`: connections are accepted and nothing passes.
    `slow`: every block of an answer comes two seconds late. `reset`: whatever is sent is answered by a reset.
    """

    host: str
    port: int
    mode: Mode = "ok"
    address: str = ""
    connections: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    def become(self, mode: Mode) -> None:
        """From now on; connections that stand are treated alike."""
        asyncio.run_coroutine_threadsafe(self._become(mode), self._loop).result(10)

    async def _become(self, mode: Mode) -> None:
        self.mode = mode
        if mode in ("cut", "reset"):
            for writer in list(self._writers):
                writer.transport.abort()
        port = int(self.address.rpartition(":")[2]) if self.address else 0
        if mode == "cut" and self._server is not None:
            self._server.close()
            self._server = None
        elif mode != "cut" and self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
            self.address = "{}:{}".format(*self._server.sockets[0].getsockname())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, far_writer}
        self._writers |= pair
        self.connections += 1
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer, answers=True))
        finally:
            self.connections -= 1
            self._writers -= pair

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        with suppress(OSError):
            while block := await reader.read(BLOCK_BYTES):
                while self.mode == "hang":
                    await asyncio.sleep(0.05)
                if self.mode == "reset":
                    for each in list(self._writers):
                        _set_to_reset(each)
                        each.transport.abort()
                    break
                if self.mode == "slow" and answers:
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(block)
                await writer.drain()
        writer.close()

    def run(self) -> None:
        """Serve until `stop`; connections that stand end with it."""
        self._loop.run_forever()
        self._loop.run_until_complete(_end(asyncio.all_tasks(self._loop)))
        self._loop.close()

    def stop(self) -> None:
        self.become("cut")
        self._loop.call_soon_threadsafe(self._loop.stop)


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _set_to_reset(writer: asyncio.StreamWriter) -> None:
    """Closing sends RST and drops what was not sent (socket(7), SO_LINGER of 0 seconds)."""
    found = writer.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@contextmanager
def running_proxy(target: str) -> Iterator[Proxy]:
    """A proxy to `host:port` until the block ends; `address` is where it listens."""
    host, _, port = target.rpartition(":")
    proxy = Proxy(host, int(port))
    thread = threading.Thread(target=proxy.run, name=f"proxy to {target}", daemon=True)
    thread.start()
    proxy.become("ok")
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(10)
