"""The connection against a scripted peer: frames in, frames out."""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from kubepy.storage import grpc_connection as grpc
from kubepy.storage.hpack import literal

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
OK = literal("grpc-status", "0")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def message(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


class Transport(asyncio.Transport):
    """Notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.aborted = False
        self.flush: Callable[[], None] = lambda: None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        """The frames sent since the last call."""
        self.flush()
        data, self.sent = self.sent, b""
        found = []
        while data:
            size = int.from_bytes(data[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", data[3:9])
            found.append((kind, flags, stream, data[9 : 9 + size]))
            data = data[9 + size :]
        return found


@dataclass
class Consumer:
    messages: list[bytes] = field(default_factory=list)
    end: tuple[int, str] | None = None

    def message(self, data: bytes) -> None:
        self.messages.append(data)

    def ended(self, code: int, text: str) -> None:
        assert self.end is None
        self.end = (code, text)


def connected() -> tuple[grpc.Connection, Transport]:
    connection, transport = grpc.Connection("peer:1", secure=False), Transport()
    transport.flush = lambda: connection._send() if connection._unsent else None
    connection.connection_made(transport)
    transport.sent = b""
    return connection, transport


def in_loop(scenario: Callable[[], None]) -> None:
    async def main() -> None:
        scenario()

    asyncio.run(main())


def test_a_call_is_one_headers_and_one_data_frame() -> None:
    def scenario() -> None:
        connection, transport = connected()
        connection.call(connection.head("/a/B"), b"ask", Consumer())
        (kind, flags, stream, block), (kind2, flags2, stream2, body) = transport.frames()
        assert (kind, flags, stream) == (HEADERS, END_HEADERS, 1)
        assert b"/a/B" in block
        assert (kind2, flags2, stream2, body) == (DATA, END_STREAM, 1, message(b"ask"))

    in_loop(scenario)


def test_an_answer_in_any_pieces_is_handed_over_whole() -> None:
    def scenario() -> None:
        answer = frame(HEADERS, END_HEADERS, 1, b"\x88") + frame(DATA, 0, 1, message(b"x" * 300)[:7])
        answer += frame(DATA, PADDED, 1, b"\x02" + message(b"x" * 300)[7:] + b"\0\0")
        answer += frame(HEADERS, 0, 1, OK[:3]) + frame(CONTINUATION, END_HEADERS, 1, OK[3:])
        for step in (1, 3, 10, len(answer)):
            connection, _ = connected()
            consumer = Consumer()
            connection.call(b"", b"", consumer)
            for at in range(0, len(answer), step):
                connection.data_received(answer[at : at + step])
            assert consumer.messages == [b"x" * 300]
            assert consumer.end == (grpc.OK, "")

    in_loop(scenario)


def test_several_messages_of_a_stream_come_one_by_one() -> None:
    def scenario() -> None:
        connection, _ = connected()
        consumer = Consumer()
        connection.call(b"", b"", consumer, ends=False)
        stream = message(b"one") + message(b"") + message(b"three")
        connection.data_received(frame(DATA, 0, 1, stream[:10]))
        assert consumer.messages == [b"one"]
        connection.data_received(frame(DATA, 0, 1, stream[10:]))
        assert consumer.messages == [b"one", b"", b"three"]
        assert consumer.end is None

    in_loop(scenario)


def test_an_error_comes_with_its_code_and_text() -> None:
    def scenario() -> None:
        connection, _ = connected()
        consumer = Consumer()
        connection.call(b"", b"", consumer)
        trailers = literal("grpc-status", "11") + literal("grpc-message", "mvcc%3A gone")
        connection.data_received(frame(HEADERS, END_HEADERS | END_STREAM, 1, trailers))
        assert consumer.end == (grpc.OUT_OF_RANGE, "mvcc: gone")

    in_loop(scenario)


def test_a_big_request_waits_for_the_windows() -> None:
    def scenario() -> None:
        connection, transport = connected()
        payload = bytes(100_000)
        connection.call(b"", payload, Consumer())
        small = Consumer()
        sent = transport.frames()
        assert sum(len(p) for kind, _, _, p in sent if kind == DATA) == 65_535
        assert max(len(p) for *_, p in sent) <= 16_384
        connection.call(b"", b"small", small)
        assert [kind for kind, *_ in transport.frames()] == [HEADERS]
        connection.data_received(frame(WINDOW, 0, 0, struct.pack(">I", 10)))
        assert [(s, len(p)) for kind, _, s, p in transport.frames() if kind == DATA] == [(3, 10)]
        connection.data_received(frame(WINDOW, 0, 0, struct.pack(">I", 100_000)))
        connection.data_received(frame(WINDOW, 0, 1, struct.pack(">I", 100_000)))
        sent = transport.frames()
        assert sum(len(p) for kind, _, s, p in sent if kind == DATA and s == 1) == 100_005 - 65_535
        assert [flags for kind, flags, s, _ in sent if s == 1][-1] == END_STREAM

    in_loop(scenario)


def test_settings_change_the_windows_of_calls_under_way() -> None:
    def scenario() -> None:
        connection, transport = connected()
        connection.data_received(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 10)))
        assert transport.frames() == [(SETTINGS, ACK, 0, b"")]
        connection.call(b"", b"x" * 20, Consumer())
        assert [len(p) for kind, _, _, p in transport.frames() if kind == DATA] == [10]
        connection.data_received(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 100)))
        assert [len(p) for kind, _, _, p in transport.frames() if kind == DATA] == [15]

    in_loop(scenario)


def test_a_ping_is_answered() -> None:
    def scenario() -> None:
        connection, transport = connected()
        connection.data_received(frame(PING, 0, 0, b"12345678"))
        assert transport.frames() == [(PING, ACK, 0, b"12345678")]

    in_loop(scenario)


def test_the_loss_of_the_connection_ends_every_call() -> None:
    def scenario() -> None:
        connection, _ = connected()
        consumers = [Consumer(), Consumer()]
        for consumer in consumers:
            connection.call(b"", b"", consumer)
        connection.connection_lost(None)
        assert [c.end and c.end[0] for c in consumers] == [grpc.UNAVAILABLE] * 2
        assert connection.closed

    in_loop(scenario)


def test_a_peer_that_goes_away_still_answers_what_it_took() -> None:
    def scenario() -> None:
        connection, _ = connected()
        taken, refused = Consumer(), Consumer()
        connection.call(b"", b"", taken)
        connection.call(b"", b"", refused)
        connection.data_received(frame(GOAWAY, 0, 0, struct.pack(">II", 1, 0)))
        assert connection.closed
        assert taken.end is None
        assert refused.end is not None
        connection.data_received(frame(HEADERS, END_HEADERS | END_STREAM, 1, OK))
        assert taken.end == (grpc.OK, "")

    in_loop(scenario)


def test_a_cancelled_call_is_reset_and_not_heard_of_again() -> None:
    def scenario() -> None:
        connection, transport = connected()
        consumer = Consumer()
        stream = connection.call(b"", b"", consumer)
        transport.frames()
        connection.cancel(stream)
        assert transport.frames() == [(RST, 0, 1, struct.pack(">I", 8))]
        connection.data_received(frame(DATA, 0, 1, message(b"late")) + frame(HEADERS, END_HEADERS, 1, OK))
        assert (consumer.messages, consumer.end) == ([], None)
        connection.cancel(stream)
        assert transport.frames() == []

    in_loop(scenario)


def test_a_peer_that_breaks_the_protocol_is_left() -> None:
    def scenario() -> None:
        for broken in (frame(HEADERS, END_HEADERS, 1, b"\x80"), frame(RST, 0, 1, b""), frame(DATA, END_STREAM, 1)):
            connection, transport = connected()
            consumer = Consumer()
            connection.call(b"", b"", consumer)
            connection.data_received(broken)
            assert consumer.end is not None
            assert consumer.end[0] in (grpc.UNAVAILABLE, grpc.INTERNAL)
            assert transport.aborted == (broken[3] != DATA)

    in_loop(scenario)


def test_a_silent_peer_is_left() -> None:
    def scenario() -> None:
        connection, transport = connected()
        consumer = Consumer()
        connection.call(b"", b"", consumer)
        transport.frames()
        connection._ping()
        assert [kind for kind, *_ in transport.frames()] == [PING]
        connection.data_received(frame(PING, ACK, 0, bytes(8)))
        connection._pinged()
        assert consumer.end is None
        connection._ping()
        connection._pinged()
        assert consumer.end == (grpc.UNAVAILABLE, "the peer is silent")
        assert transport.aborted

    in_loop(scenario)
