"""Ask a gRPC server for its health with as much of HTTP/2 as one unary call needs.

A gRPC library would cost more memory than the rest of the probes together. Header names and values are sent as plain
literals; of the answer only the message in the DATA frames is read, never a compressed header.
Source: grpc/doc/health-checking.md; RFC 9113; RFC 7541 section 6.2.2.
"""

import asyncio
import struct

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _END_HEADERS, _ACK, _PADDED = 1, 4, 1, 8
SERVING = 1


class GrpcFault(Exception):
    """The server cannot be asked, or answers something else than its health."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header field that is not indexed, its name written out (both shorter than 127 bytes)."""
    return b"\x00" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()


def request(service: str, authority: str) -> bytes:
    """All bytes that the client sends."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": "kube-probe/1.37",
    }
    name = service.encode()
    message = b"\x0a" + bytes((len(name),)) + name if name else b""
    body = b"\x00" + struct.pack(">I", len(message)) + message
    return (
        _PREFACE
        + frame(_SETTINGS, 0, 0, b"")
        + frame(_HEADERS, _END_HEADERS, 1, b"".join(literal(k, v) for k, v in headers.items()))
        + frame(_DATA, _END_STREAM, 1, body)
    )


def parse_health(message: bytes) -> int:
    """The status in a HealthCheckResponse (field 1); 0 is UNKNOWN."""
    if len(message) >= 7 and message[5] == 0x08:
        return message[6]
    return 0


async def check_health(host: str, port: int, service: str) -> int:
    """The server's ServingStatus. Raises GrpcFault; the caller sets the deadline."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise GrpcFault(f"failed to connect service {host}:{port}: {error}") from error
    try:
        writer.write(request(service, f"{host}:{port}"))
        return await _answer(reader, writer)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise GrpcFault(f"connection to {host}:{port} lost: {error}") from error
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    message = b""
    while True:
        head = await reader.readexactly(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        payload = await reader.readexactly(size)
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            writer.write(frame(_PING, _ACK, 0, payload))
        elif kind == _DATA:
            message += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
            if len(message) >= 5 and len(message) >= 5 + int.from_bytes(message[1:5], "big"):
                return parse_health(message)
        elif kind in (_RST, _GOAWAY) or (kind == _HEADERS and flags & _END_STREAM):
            raise GrpcFault("the server answered without a health status (is the health service implemented?)")
