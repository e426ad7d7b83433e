import asyncio
import os
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from kubepy.kubelet.streaming import process
from kubepy.kubelet.streaming.channels import SpdyChannels, Wanted, WebSocketChannels
from kubepy.kubelet.streaming.portforward import SpdyForwarding
from kubepy.kubelet.streaming.spdy import (
    DICTIONARY,
    Opened,
    Pinged,
    Received,
    Reset,
    Spdy,
    SpdyFault,
    data_frames,
)
from kubepy.lib.websocket import BINARY, CLOSE, Frames, Tunnel, WebSocket, WebSocketFault, accept_key, encode

ALL = Wanted(stdin=True, stdout=True, stderr=True, tty=False)


def masked(payload: bytes, opcode: int = BINARY, *, fin: bool = True) -> bytes:
    mask, size = os.urandom(4), len(payload)
    head = struct.pack(">B", (0x80 if fin else 0) | opcode)
    head += struct.pack(">B", 0x80 | size) if size < 126 else struct.pack(">BH", 0x80 | 126, size)
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Wire:
    """A Connection whose other end is the test."""

    def __init__(self, *incoming: bytes) -> None:
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self.written = b""
        self.closed = False
        for data in incoming:
            self.incoming.put_nowait(data)

    async def read(self) -> bytes:
        return await self.incoming.get()

    async def write(self, data: bytes) -> None:
        self.written += data

    async def close(self) -> None:
        self.closed = True
        self.incoming.put_nowait(b"")


class Client(Wire):
    """A WebSocket client that writes on until it reads the other end's goodbye, and answers it."""

    async def write(self, data: bytes) -> None:
        await super().write(data)
        if data[:1] == b"\x88":
            self.incoming.put_nowait(masked(b"\x00late") + masked(data[2:], CLOSE))


class Process:
    """A process that writes two lines, echoes its input until its end, and exits with 3."""

    tty = False

    def __init__(self) -> None:
        self.input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.size: tuple[int, int] | None = None
        self.closed = False

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        yield 1, b"out"
        yield 2, b"err"
        while (data := await self.input.get()) is not None:
            yield 1, data

    async def write(self, data: bytes) -> None:
        self.input.put_nowait(data)

    async def close_input(self) -> None:
        self.input.put_nowait(None)

    async def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    async def exit_code(self) -> int:
        return 3

    async def close(self) -> None:
        self.closed = True


def test_dictionary_is_the_protocol_s() -> None:
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def test_streams_and_data_pass_between_two_ends() -> None:
    client, server = Spdy(), Spdy()
    sent = client.open(1, {"streamType": "stdin"}) + client.open(3, {"streamtype": "stdout"})
    sent += data_frames(1, b"x" * 40000, fin=True)
    events = [event for i in range(0, len(sent), 7) for event in server.receive(sent[i : i + 7])]
    assert events[:2] == [Opened(1, {"streamtype": "stdin"}, False), Opened(3, {"streamtype": "stdout"}, False)]
    data = [event for event in events[2:] if isinstance(event, Received)]
    assert b"".join(event.data for event in data) == b"x" * 40000
    assert [event.fin for event in data] == [False, True]


def test_replies_keep_the_compression_in_step() -> None:
    client, server = Spdy(), Spdy()
    for stream in (1, 3, 5):
        server.receive(client.open(stream, {"streamtype": "data", "port": "80"}))
        assert client.receive(server.reply(stream)) == []
    assert server.receive(client.reset(5)) == [Reset(5)]


def test_ping_is_answered_with_itself() -> None:
    ping = struct.pack(">HHI", 0x8003, 6, 4) + b"\x00\x00\x00\x01"
    assert Spdy().receive(ping) == [Pinged(ping)]


def test_bad_headers_end_the_connection() -> None:
    frame = struct.pack(">HHI", 0x8003, 1, 14) + bytes(10) + b"junk"
    with pytest.raises(SpdyFault):
        Spdy().receive(frame)


def test_handshake_answer_is_the_one_of_the_standard() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("size", [0, 125, 126, 65535])
def test_messages_of_every_length_arrive_byte_by_byte(size: int) -> None:
    frames, payload = Frames(), os.urandom(size)
    wire = masked(payload)
    found = [
        m
        for i in range(0, len(wire), max(len(wire) // 9, 1))
        for m in frames.feed(wire[i : i + max(len(wire) // 9, 1)])
    ]
    assert found == [(BINARY, payload)]


def test_fragments_are_joined_and_control_frames_pass_between() -> None:
    wire = masked(b"ab", fin=False) + masked(b"bye", CLOSE) + masked(b"cd", 0)
    assert Frames().feed(wire) == [(CLOSE, b"bye"), (BINARY, b"abcd")]


def test_message_without_end_is_refused() -> None:
    frames, fragment = Frames(), bytes([0x00, 127]) + (1 << 20).to_bytes(8, "big") + bytes(1 << 20)
    with pytest.raises(WebSocketFault):
        frames.feed(fragment * 20)


def test_long_frame_has_a_long_head() -> None:
    assert encode(BINARY, bytes(70000))[:10] == b"\x82\x7f" + struct.pack(">Q", 70000)


def test_empty_message_is_no_end_of_a_tunnel() -> None:
    async def read() -> bytes:
        return await Tunnel(WebSocket(Wire(masked(b"") + masked(b"x")))).read()

    assert asyncio.run(read()) == b"x"


def run(channels: Any, stdio: Process) -> None:
    async def join() -> None:
        async with asyncio.timeout(5):
            await process.join(channels, stdio, ALL, tell_exit=True)

    asyncio.run(join())


def test_websocket_exec_passes_streams_size_end_and_exit_code() -> None:
    wire = Client(masked(b"\x04" + b'{"Width":80,"Height":24}'), masked(b"\x00in"), masked(b"\xff\x00"))
    stdio = Process()
    run(WebSocketChannels(WebSocket(wire), "v5.channel.k8s.io"), stdio)
    messages = [payload for opcode, payload in Frames().feed(wire.written) if opcode == BINARY]
    assert messages[:3] == [b"\x01out", b"\x02err", b"\x01in"]
    status = orjson.loads(messages[-1][1:])
    assert messages[-1][0] == 3
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert stdio.size == (80, 24)
    assert stdio.closed
    assert wire.closed


def test_goodbye_is_normal_and_the_connection_outlasts_what_the_client_still_says() -> None:
    wire = Client(masked(b"\xff\x00"))
    run(WebSocketChannels(WebSocket(wire), "v5.channel.k8s.io"), Process())
    assert Frames().feed(wire.written)[-1] == (CLOSE, struct.pack(">H", 1000))
    assert wire.closed
    assert wire.incoming.get_nowait() == b""  # all that the client said was read: nothing resets the connection


def test_client_that_goes_away_ends_the_process_s_streams_and_is_answered() -> None:
    stdio, wire = Process(), Wire(masked(b"", CLOSE))
    run(WebSocketChannels(WebSocket(wire), "v4.channel.k8s.io"), stdio)
    assert stdio.closed
    assert Frames().feed(wire.written)[-1][0] == CLOSE


def test_spdy_exec_passes_streams_and_exit_code() -> None:
    client = Spdy()
    opened = b"".join(
        client.open(number, {"streamtype": kind})
        for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr"))
    )
    wire = Wire(opened, data_frames(3, b"in", fin=True))
    channels = SpdyChannels(wire, "v4.channel.k8s.io", ALL)

    async def serve() -> None:
        async with asyncio.timeout(5):
            await channels.open()
            wire.incoming.put_nowait(b"") if wire.closed else None
            await process.join(channels, Process(), ALL, tell_exit=True)

    asyncio.run(serve())
    received: dict[int, bytes] = {}
    for event in client.receive(wire.written):
        if isinstance(event, Received):
            received[event.stream] = received.get(event.stream, b"") + event.data
    assert (received[5], received[7]) == (b"outin", b"err")
    assert orjson.loads(received[1])["reason"] == "NonZeroExitCode"


def test_port_forward_carries_a_connection_both_ways() -> None:
    async def forward() -> dict[int, bytes]:
        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readexactly(5)).upper())
            writer.close()

        echo = await asyncio.start_server(upper, "127.0.0.1", 0)
        port = str(echo.sockets[0].getsockname()[1])
        client, wire = Spdy(), Wire()
        for number, kind in ((1, "error"), (3, "data")):
            wire.incoming.put_nowait(client.open(number, {"streamtype": kind, "port": port, "requestid": "0"}))
        wire.incoming.put_nowait(data_frames(3, b"hello"))
        serving = asyncio.create_task(SpdyForwarding(wire, "").serve())
        received: dict[int, bytes] = {}
        ended: set[int] = set()
        async with asyncio.timeout(5):
            while ended != {1, 3}:
                await asyncio.sleep(0)
                data, wire.written = wire.written, b""
                for event in client.receive(data):
                    if isinstance(event, Received):
                        received[event.stream] = received.get(event.stream, b"") + event.data
                        ended |= {event.stream} if event.fin else set()
        wire.incoming.put_nowait(b"")
        await serving
        echo.close()
        return received

    assert asyncio.run(forward()) == {3: b"HELLO", 1: b""}
