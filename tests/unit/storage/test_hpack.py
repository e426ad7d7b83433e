import pytest

from kubepy.storage.hpack import Decoder, HeaderError, huffman_decoded, literal


def test_a_huffman_string_is_decoded() -> None:
    assert huffman_decoded(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")) == b"www.example.com"


@pytest.mark.parametrize("data", ["f1e3c2e5f23a6ba0ab90f400", "ffffffff"])
def test_a_broken_huffman_string_is_refused(data: str) -> None:
    with pytest.raises(HeaderError):
        huffman_decoded(bytes.fromhex(data))


def test_requests_that_share_a_table_are_decoded() -> None:
    """The examples of RFC 7541, C.4."""
    decoder = Decoder()
    first = decoder.decode(bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))
    assert first == {":method": "GET", ":scheme": "http", ":path": "/", ":authority": "www.example.com"}
    second = decoder.decode(bytes.fromhex("828684be5886a8eb10649cbf"))
    assert second == first | {"cache-control": "no-cache"}
    third = decoder.decode(bytes.fromhex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"))
    assert third[":authority"] == "www.example.com"
    assert third["custom-key"] == "custom-value"


def test_entries_are_evicted_when_the_table_shrinks() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x01b")
    assert decoder.decode(b"\xbe") == {"a": "b"}
    assert decoder.decode(b"\x20") == {}
    with pytest.raises(HeaderError):
        decoder.decode(b"\xbe")


def test_blocks_without_state_are_remembered_and_those_with_state_are_not() -> None:
    decoder = Decoder()
    trailers = literal("grpc-status", "0") + literal("grpc-message", "")
    assert decoder.decode(trailers) == {"grpc-status": "0", "grpc-message": ""}
    assert decoder.decode(trailers) is decoder.decode(trailers)
    decoder.decode(b"\x40\x01a\x01b")
    assert decoder.decode(b"\xbe") == {"a": "b"}
    decoder.decode(b"\x40\x01a\x01c")
    assert decoder.decode(b"\xbe") == {"a": "c"}


@pytest.mark.parametrize("block", [b"\x00\x05ab", b"\x40", b"\x80", b"\xff"])
def test_a_broken_block_is_refused(block: bytes) -> None:
    with pytest.raises(HeaderError):
        Decoder().decode(block)
