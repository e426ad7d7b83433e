"""Decode HTTP/2 header blocks: just what a gRPC client needs of HPACK.

The Huffman code is canonical, so its code lengths are all of it. Blocks that neither use nor change the dynamic
table decode to the same fields every time and are remembered: gRPC's are nearly all alike.
Source: RFC 7541.
"""

from typing import Final

Fields = dict[str, str]

_STATIC_TEXT: Final = """
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
"""
_STATIC: Final = [(name, value) for name, _, value in (line.partition(" ") for line in _STATIC_TEXT.split("\n")[1:-1])]
_CODE_LENGTHS: Final = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c060a0a0c0d06080b0a0a080b0806060605050506060606060606"
    "07080f060c0a0d06070707070707070707070707070707070707070707070807080d130d0e060f0506050605060606050707060606050607060505"
    "0607070707070f0b0e0d1c141614141616161716171717171718171818161718171717171516171617171816151416161717151716161815161717"
    "151516151716171714161616171616171a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b1418141516151517161619"
    "1918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a1e"
)
_END: Final = 256
_ENTRY_OVERHEAD: Final = 32
_TABLE_BYTES: Final = 4096
_REMEMBERED_AT_MOST: Final = 256


def _symbols_by_code() -> dict[tuple[int, int], int]:
    """(length, code) -> symbol."""
    found, code, length = {}, 0, 0
    for bits, symbol in sorted((bits, symbol) for symbol, bits in enumerate(_CODE_LENGTHS)):
        code <<= bits - length
        length = bits
        found[bits, code] = symbol
        code += 1
    return found


_SYMBOLS: Final = _symbols_by_code()


class HeaderError(ValueError):
    """A block that breaks the rules."""


def huffman_decoded(data: bytes) -> bytes:
    """The text of a Huffman-coded string. Raises HeaderError."""
    out = bytearray()
    code = length = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code = code << 1 | byte >> shift & 1
            length += 1
            symbol = _SYMBOLS.get((length, code))
            if symbol is not None:
                if symbol == _END:
                    raise HeaderError("end of string within a string")
                out.append(symbol)
                code = length = 0
    if length > 7 or code != (1 << length) - 1:
        raise HeaderError("padding of a string")
    return bytes(out)


class Decoder:
    """The header state of one connection's receiving side."""

    def __init__(self) -> None:
        self._table: list[tuple[str, str]] = []
        self._most_bytes = _TABLE_BYTES
        self._remembered: dict[bytes, Fields] = {}
        self._block = b""
        self._at = 0
        self._stateless = True

    def decode(self, block: bytes) -> Fields:
        """The fields of a whole block; of a repeated field, the last one. Raises HeaderError."""
        known = self._remembered.get(block)
        if known is not None:
            return known
        self._block, self._at, self._stateless = block, 0, True
        fields: Fields = {}
        try:
            while self._at < len(block):
                field = self._field(block[self._at])
                if field is not None:
                    fields[field[0]] = field[1]
        except (IndexError, UnicodeDecodeError) as error:
            raise HeaderError("header block is cut off or no text") from error
        if self._stateless and len(self._remembered) < _REMEMBERED_AT_MOST:
            self._remembered[block] = fields
        return fields

    def _field(self, first: int) -> tuple[str, str] | None:
        if first & 0x80:
            return self._indexed(self._integer(7))
        if first & 0xE0 == 0x20:
            self._stateless = False
            self._most_bytes = self._integer(5)
            self._evict()
            return None
        added = bool(first & 0x40)
        index = self._integer(6 if added else 4)
        field = (self._indexed(index)[0] if index else self._string(), self._string())
        if added:
            self._stateless = False
            self._table.insert(0, field)
            self._evict()
        return field

    def _indexed(self, index: int) -> tuple[str, str]:
        if index == 0:
            raise HeaderError("index 0")
        if index <= len(_STATIC):
            return _STATIC[index - 1]
        self._stateless = False
        return self._table[index - len(_STATIC) - 1]

    def _evict(self) -> None:
        size = sum(len(name) + len(value) + _ENTRY_OVERHEAD for name, value in self._table)
        while size > self._most_bytes:
            name, value = self._table.pop()
            size -= len(name) + len(value) + _ENTRY_OVERHEAD

    def _integer(self, bits: int) -> int:
        most = (1 << bits) - 1
        number = self._block[self._at] & most
        self._at += 1
        if number < most:
            return number
        shift = 0
        while True:
            byte = self._block[self._at]
            self._at += 1
            number += (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return number

    def _string(self) -> str:
        coded = self._block[self._at] & 0x80
        length = self._integer(7)
        end = self._at + length
        if end > len(self._block):
            raise HeaderError("string is cut off")
        raw = self._block[self._at : end]
        self._at = end
        return (huffman_decoded(raw) if coded else raw).decode()


def literal(name: str, value: str) -> bytes:
    """A field as it may be sent without any state; both are shorter than 127 bytes."""
    return b"\0%c%b%c%b" % (len(name), name.encode(), len(value), value.encode())
