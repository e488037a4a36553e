"""A cable between a client and a server of this machine, which can be slow, deaf or pulled out."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from enum import Enum

from ingestion.services.system import embedded_redis

CHUNK = 65536
START_SECONDS = 10.0


class State(Enum):
    WELL = "well"
    HELD = "held"  # connections are accepted, nothing passes
    SLOW = "slow"  # replies come late
    DEAF = "deaf"  # requests pass, replies are lost
    CUT = "cut"  # connections are reset and refused


class Wire:
    """Listens on ``port`` of localhost and passes everything on to ``target``. ``host``: another
    address to listen on instead."""

    def __init__(self, target: int, *, host: str = "127.0.0.1", name: str = "") -> None:
        self.port = embedded_redis.free_port()
        self.name = name
        self._target = target
        self._host = host
        self._state = State.WELL
        self._delay_seconds = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def is_well(self) -> bool:
        return self._state is State.WELL

    def start(self) -> None:
        self._thread.start()
        assert self._is_listening.wait(START_SECONDS), f"the wire {self.name} does not listen"

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(START_SECONDS)

    def hold(self) -> None:
        self._state = State.HELD

    def slow_down(self, *, seconds: float) -> None:
        self._delay_seconds = seconds
        self._state = State.SLOW

    def lose_replies(self) -> None:
        self._state = State.DEAF

    def cut(self) -> None:
        self._state = State.CUT
        self._loop.call_soon_threadsafe(self._reset_all)

    def mend(self) -> None:
        """What waited for a reply that was lost waits on: its connection is reset."""
        was, self._state = self._state, State.WELL
        if was is State.DEAF:
            self._loop.call_soon_threadsafe(self._reset_all)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, self._host, self.port)
        self._is_listening.set()
        await self._over.wait()
        server.close()
        self._reset_all()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state is State.CUT:
            writer.transport.abort()
            return
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, requests}
        self._writers |= ends
        there = asyncio.create_task(self._pass_on(reader, requests, is_reply=False))
        back = asyncio.create_task(self._pass_on(answers, writer, is_reply=True))
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        for end in ends:
            end.transport.abort() if self._state is State.CUT else end.close()
        self._writers -= ends

    async def _pass_on(
        self, source: asyncio.StreamReader, drain: asyncio.StreamWriter, *, is_reply: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                while self._state is State.HELD:
                    await asyncio.sleep(0.05)
                if is_reply and self._state is State.SLOW:
                    await asyncio.sleep(self._delay_seconds)
                if not (is_reply and self._state is State.DEAF):
                    drain.write(data)
                    await drain.drain()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
