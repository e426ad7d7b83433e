"""Addresses and networks: ip, cidr, containsIP, isLoopback and the like.

Source: apiserver pkg/cel/library/ip.go, cidr.go.
"""

import ipaddress
from dataclasses import dataclass

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function, opaque, traversal, twice

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LIMITED_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@opaque
@dataclass(frozen=True, slots=True)
class IP:
    """An address."""

    CEL_TYPE = "net.IP"
    address: Address


@opaque
@dataclass(frozen=True, slots=True)
class CIDR:
    """An address and how many bits of it are the network's."""

    CEL_TYPE = "net.CIDR"
    address: Address
    bits: int

    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The network that the address is in."""
        return ipaddress.ip_network((self.address, self.bits), strict=False)


def _address(text: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        why = f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): unable to parse IP'
        raise EvaluationError(why) from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
        if address.ipv4_mapped is not None:
            raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return address


def _prefix(text: str) -> CIDR:
    prefix = "network address parse error during conversion from string: "
    written, slash, bits = text.partition("/")
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        address = None
    is_number = bits.isascii() and bits.isdigit() and len(bits) <= 3 and (bits == "0" or bits[0] != "0")
    zoned = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
    if address is None or zoned or not slash or not is_number or int(bits) > address.max_prefixlen:
        why = "no '/'" if not slash else "prefix length out of range" if is_number and address else "unable to parse IP"
        raise EvaluationError(f'{prefix}{prefix}netip.ParsePrefix("{text}"): {why}')
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f'{prefix}IPv4-mapped IPv6 address "{text}" is not allowed')
    return CIDR(address, int(bits))


@function("ip(string) net.IP", cost=traversal)
def parse_ip(text: str) -> IP:
    return IP(_address(text))


@function("isIP(string) bool", cost=traversal)
def is_ip(text: str) -> bool:
    try:
        _address(text)
    except EvaluationError:
        return False
    return True


@function("ip:isCanonical(string) bool", cost=twice)
def is_canonical(text: str) -> bool:
    return str(_address(text)) == text


@function("string(net.IP) string")
def ip_to_string(found: IP) -> str:
    return str(found.address)


@function("net.IP.family() int")
def family(found: IP) -> int:
    return found.address.version


@function("net.IP.isUnspecified() bool")
def is_unspecified(found: IP) -> bool:
    return found.address.is_unspecified


@function("net.IP.isLoopback() bool")
def is_loopback(found: IP) -> bool:
    return found.address.is_loopback


@function("net.IP.isLinkLocalMulticast() bool")
def is_link_local_multicast(found: IP) -> bool:
    packed = found.address.packed
    if len(packed) == 4:
        return packed[:3] == b"\xe0\x00\x00"
    return packed[0] == 0xFF and packed[1] & 0x0F == 0x02


@function("net.IP.isLinkLocalUnicast() bool")
def is_link_local_unicast(found: IP) -> bool:
    return found.address.is_link_local


@function("net.IP.isGlobalUnicast() bool")
def is_global_unicast(found: IP) -> bool:
    address = found.address
    special = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not special and address != _LIMITED_BROADCAST


@function("cidr(string) net.CIDR", cost=traversal)
def parse_cidr(text: str) -> CIDR:
    return _prefix(text)


@function("isCIDR(string) bool", cost=traversal)
def is_cidr(text: str) -> bool:
    try:
        _prefix(text)
    except EvaluationError:
        return False
    return True


@function("string(net.CIDR) string")
def cidr_to_string(found: CIDR) -> str:
    return f"{found.address}/{found.bits}"


@function("net.CIDR.ip() net.IP")
def ip_of(found: CIDR) -> IP:
    return IP(found.address)


@function("net.CIDR.prefixLength() int")
def prefix_length(found: CIDR) -> int:
    return found.bits


@function("net.CIDR.masked() net.CIDR")
def masked(found: CIDR) -> CIDR:
    return CIDR(found.network().network_address, found.bits)


def _contains(found: CIDR, address: Address) -> bool:
    return address.version == found.address.version and address in found.network()


@function("net.CIDR.containsIP(net.IP) bool", cost=lambda arguments, result: 4)
def contains_ip(found: CIDR, other: IP) -> bool:
    return _contains(found, other.address)


@function("net.CIDR.containsIP(string) bool", cost=lambda arguments, result: 8)
def contains_ip_text(found: CIDR, other: str) -> bool:
    return _contains(found, _address(other))


@function("net.CIDR.containsCIDR(net.CIDR) bool", cost=lambda arguments, result: 7)
def contains_cidr(found: CIDR, other: CIDR) -> bool:
    return found.bits <= other.bits and _contains(found, other.address)


@function("net.CIDR.containsCIDR(string) bool", cost=lambda arguments, result: 11)
def contains_cidr_text(found: CIDR, other: str) -> bool:
    return contains_cidr(found, _prefix(other))
