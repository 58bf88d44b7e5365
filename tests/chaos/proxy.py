"""
A TCP proxy before each broker that misbehaves on request: `python -m tests.chaos.proxy PORT:PORT...`.

Orders come on stdin, one JSON object a line: {"mode": "pass" | "delay" | "reset" | "half_open" | "swallow"}; each is
answered on stdout with how often something was done so far. It understands as much of Kafka's protocol as it needs to
find the answers to EndTxn: frames, api keys, correlation ids.
"""

import asyncio
import json
import random
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable

END_TXN = 26
DELAY, SPREAD = 0.200, 0.100
"""Seconds: 200 ± 100 ms each way."""
RESET_SHARE = 0.01
"""Of the chunks that pass: the connection is reset there."""
DEAF_SHARE = 0.5
"""Of the connections that become half-open: what the client says is not heard, and it is not told."""
HEAD = struct.Struct(">ihhi")
LINGER = struct.pack("ii", 1, 0)


class Frames:
    """Where frames begin in a stream that comes in pieces. Gives (offset in this piece, first bytes) for each."""

    def __init__(self, head: int) -> None:
        self._head, self._rest, self._begun = head, 0, b""

    def feed(self, piece: bytes) -> list[tuple[int, bytes]]:
        """The frames whose first `head` bytes are complete with this piece; the offset may lie before it (negative)."""
        found, at = [], 0
        while at < len(piece):
            if self._rest:
                step = min(self._rest, len(piece) - at)
                self._rest -= step
                at += step
                continue
            start, lacking = at - len(self._begun), self._head - len(self._begun)
            self._begun += piece[at : at + lacking]
            at += lacking
            if len(self._begun) == self._head:
                found.append((start, self._begun))
                self._rest = int.from_bytes(self._begun[:4]) + 4 - self._head
                self._begun = b""
        return found


class Proxy:
    """All connections of all brokers."""

    def __init__(self, seed: int) -> None:
        self.mode = "pass"
        self.done: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._open: set[Connection] = set()

    def order(self, mode: str) -> None:
        """Behave so from now on. What was half-open cannot be mended: it is reset."""
        for connection in tuple(self._open):
            if connection.deaf:
                connection.reset()
            connection.deaf = mode == "half_open" and self.chance(DEAF_SHARE, "half_open")
        self.mode = mode

    def chance(self, share: float, what: str) -> bool:
        """Drawn by the seed; counted when it happens."""
        if self._random.random() >= share:
            return False
        self.done[what] += 1
        return True

    def pause(self) -> float:
        self.done["delayed"] += 1
        return self._random.uniform(DELAY - SPREAD, DELAY + SPREAD)

    async def serve(self, port: int, target: int) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                upstream = await asyncio.open_connection("127.0.0.1", target, limit=1 << 20)
            except OSError:
                writer.transport.abort()
                return
            connection = Connection(self, (reader, writer), upstream)
            self._open.add(connection)
            connection.deaf = self.mode == "half_open" and self.chance(DEAF_SHARE, "half_open")
            try:
                await connection.run()
            finally:
                self._open.discard(connection)

        return await asyncio.start_server(connected, "127.0.0.1", port, limit=1 << 20)


Look = Callable[[bytes, list[tuple[int, bytes]]], bytes]
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """One client's connection to one broker."""

    def __init__(self, proxy: Proxy, client: Ends, broker: Ends) -> None:
        self._proxy, self._client, self._broker = proxy, client, broker
        self.deaf = False
        self._mute = False
        self._asked: set[int] = set()
        """correlation ids of EndTxn requests that are not answered"""

    async def run(self) -> None:
        both = [
            asyncio.create_task(self._pump(self._client[0], self._broker[1], self._request, Frames(HEAD.size))),
            asyncio.create_task(self._pump(self._broker[0], self._client[1], self._answer, Frames(8))),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for _, writer in (self._client, self._broker):
            writer.close()

    def reset(self) -> None:
        """RST to both."""
        for _, writer in (self._client, self._broker):
            if sock := writer.get_extra_info("socket"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, see: Look, frames: Frames) -> None:
        loop, latest = asyncio.get_running_loop(), 0.0
        while piece := await source.read(1 << 16):
            piece = see(piece, frames.feed(piece))
            mode, now = self._proxy.mode, loop.time()
            if mode == "reset" and self._proxy.chance(RESET_SHARE, "reset"):
                self.reset()
                return
            if not piece:
                continue
            if mode == "delay" or latest > now:
                pause = self._proxy.pause() if mode == "delay" else 0.0
                latest = max(latest + 1e-6, now + pause)
                loop.call_at(latest, to.write, piece)
            else:
                to.write(piece)
                await to.drain()

    def _request(self, piece: bytes, frames: list[tuple[int, bytes]]) -> bytes:
        for _, head in frames:
            _, key, _, correlation = HEAD.unpack(head)
            if key == END_TXN:
                self._asked.add(correlation)
        return b"" if self.deaf else piece

    def _answer(self, piece: bytes, frames: list[tuple[int, bytes]]) -> bytes:
        if self._mute:
            return b""
        for start, head in frames:
            correlation = int.from_bytes(head[4:], signed=True)
            if correlation not in self._asked:
                continue
            self._asked.discard(correlation)
            if self._proxy.mode == "swallow":
                self._swallow()
                return piece[: max(0, start)]
        return piece

    def _swallow(self) -> None:
        """The commit is done and nobody is told: the connection ends here, or says nothing any more."""
        self._proxy.done["swallowed"] += 1
        self._mute = True
        if self._proxy.chance(0.7, "swallowed_and_closed"):
            asyncio.get_running_loop().call_later(0.05, self.reset)


async def main(doors: list[str], seed: int) -> None:
    proxy = Proxy(seed)
    servers = [await proxy.serve(*map(int, door.split(":"))) for door in doors]
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print(json.dumps({"listens": len(servers)}), flush=True)
    while line := await orders.readline():
        proxy.order(json.loads(line)["mode"])
        print(json.dumps(proxy.done), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2:], int(sys.argv[1])))
