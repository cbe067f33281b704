"""Several replicas of the service behind one address: each connection goes to the next one that answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from urllib.parse import urlsplit

PIECE = 65_536


class RoundRobin:
    """A proxy that knows nothing of what it carries. A backend that does not answer is passed over."""

    def __init__(self, backends: list[str]) -> None:
        self._backends = [(urlsplit(each).hostname or "", urlsplit(each).port or 0) for each in backends]
        self._turn = count()
        self.used: list[int] = []

    async def _backend(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self._backends:
            host, port = self._backends[next(self._turn) % len(self._backends)]
            with suppress(OSError):
                found = await asyncio.open_connection(host, port)
                self.used.append(port)
                return found
        raise OSError("no replica answers")

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end on either side."""
        try:
            with suppress(OSError):
                from_backend, to_backend = await self._backend()
                try:
                    ways = [
                        asyncio.ensure_future(_pour(reader, to_backend)),
                        asyncio.ensure_future(_pour(from_backend, writer)),
                    ]
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in ways:
                        way.cancel()
                finally:
                    to_backend.close()
        finally:
            writer.close()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(PIECE):
            target.write(piece)
            await target.drain()


@contextmanager
def behind_one_address(backends: list[str]) -> Iterator[tuple[str, RoundRobin]]:
    """The address of a proxy in front of these replicas."""
    proxy, loop, ready = RoundRobin(backends), asyncio.new_event_loop(), threading.Event()
    addresses: list[str] = []

    async def serve() -> asyncio.Server:
        server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
        addresses.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        ready.set()
        return server

    async def end(server: asyncio.Server) -> None:
        """Nothing is left behind: a task that is collected with its loop is told of in the middle of some other test."""
        server.close()
        while carrying := asyncio.all_tasks() - {asyncio.current_task()}:  # again: what was just accepted begins a task
            for task in carrying:
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)

    def run() -> None:
        server = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(end(server))
        loop.close()

    thread = threading.Thread(target=run, name="proxy", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield addresses[0], proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
