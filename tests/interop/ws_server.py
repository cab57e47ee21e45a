"""A WebSocket server by other people, the package `websockets`, in front of a simulated broker.

Whatever is no upgrade goes on to the broker behind it, so that a client signs in there. A socket gets the login
burst, and at the subscription of `str` as many numbered frames as were asked for: in text and in binary, whole and in pieces,
with pings among them.
"""

import asyncio
import contextlib
import json
import random
import threading
import time

from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

LOGIN = [
    {"topic": "system", "success": "independent", "isFT": False, "isPaper": True},
    {"topic": "act", "args": {"accounts": ["DU0000001"], "selectedAccount": "DU0000001"}},
    {"topic": "sts", "args": {"authenticated": True}},
    {"topic": "sts", "args": {"competing": False}},
]


def numbered(number: int, chance: random.Random) -> bytes:
    """A frame of trades whose text is of any length and any script."""
    text = "".join(chance.choice("aZ9 \"\\/é€😀\u0007") for _ in range(chance.choice([0, 3, 40, 400])))
    trade = {"execution_id": f"{number:08}", "order_ref": text, "price": f"{number}.25", "net_amount": number / 4}
    return json.dumps({"topic": "str", "args": [trade]}, ensure_ascii=chance.random() < 0.5).encode()


class Server:
    """`sent` has each frame of trades, in order; `refused`, what was wrong with upgrades."""

    def __init__(self, frames: int, seed: int):
        self.frames = frames
        self.chance = random.Random(seed)
        self.upstream: tuple[str, int] | None = None
        self.sent: list[bytes] = []
        self.pings = self.pongs = 0
        self.refused: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                await self.socket(head, reader, writer)
            else:
                await self.forward(head, reader, writer)
        writer.close()

    async def forward(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self.upstream)
        # One request for each connection: the next on it might be the upgrade, which is not for the broker.
        back.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(1 << 16):
                    sink.write(data)
                    await sink.drain()
                sink.write_eof()

        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))
        back.close()

    async def socket(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol(max_size=1 << 20)

        async def flush() -> None:
            for data in protocol.data_to_send():
                if data:
                    writer.write(data)
            await writer.drain()

        protocol.receive_data(head)
        [request] = protocol.events_received()
        response = protocol.accept(request)
        cookies, token = request.headers.get("Cookie", ""), request.path.partition("?oauth_token=")[2]
        if "api=" not in cookies or not token or "User-Agent" not in request.headers:
            self.refused.append(request.path.partition("?")[0])
            response = protocol.reject(401, "")
        protocol.send_response(response)
        await flush()
        if protocol.state is not State.OPEN:
            return
        for message in LOGIN:
            protocol.send_text(json.dumps(message).encode())
        await flush()
        last = time.monotonic()
        while protocol.state is State.OPEN:
            try:
                data = await asyncio.wait_for(reader.read(1 << 16), 1)
            except TimeoutError:
                data = None
            if data:
                protocol.receive_data(data)
            elif data is not None:
                protocol.receive_eof()
            for frame in protocol.events_received():
                if frame.opcode is Opcode.PONG:
                    self.pongs += 1
                elif frame.opcode is Opcode.TEXT:
                    text = bytes(frame.data).decode()
                    await self.answer(text, protocol, flush)
            if protocol.state is State.OPEN and time.monotonic() - last > 10:
                last = time.monotonic()
                protocol.send_text(json.dumps({"topic": "system", "hb": int(time.time() * 1000)}).encode())
            await flush()

    async def answer(self, text: str, protocol: ServerProtocol, flush) -> None:
        if text == "tic":
            reply = {"topic": "tic", "alive": True, "id": "0", "lastAccessed": int(time.time() * 1000)}
            protocol.send_text(json.dumps(reply).encode())
        elif text.startswith("str"):
            for number in range(self.frames):
                frame = numbered(number, self.chance)
                self.sent.append(frame)
                self.send(frame, protocol)
                if number % 100 == 0:
                    protocol.send_ping(b"%d" % number)
                    self.pings += 1
                    await flush()

    def send(self, frame: bytes, protocol: ServerProtocol) -> None:
        """In one to four pieces, cut anywhere: between the bytes of a character too."""
        cuts = sorted(self.chance.randrange(len(frame) + 1) for _ in range(self.chance.choice([0, 0, 0, 1, 3])))
        pieces = [frame[start:end] for start, end in zip([0, *cuts], [*cuts, len(frame)])]
        first = protocol.send_text if self.chance.random() < 0.7 else protocol.send_binary
        for index, piece in enumerate(pieces):
            send = first if index == 0 else protocol.send_continuation
            send(piece, fin=index == len(pieces) - 1)


@contextlib.contextmanager
def independent_server(frames: int, seed: int = 1):
    """Yields the server and its origin, `host:port`; its `upstream` is to be set before anybody connects."""
    server = Server(frames, seed)
    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1 << 20))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        host, port = listener.sockets[0].getsockname()
        yield server, f"{host}:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
