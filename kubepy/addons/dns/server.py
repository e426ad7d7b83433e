"""DNS over UDP and TCP: names of the cluster from the zone, all others from the resolvers of the node.

The wire format is dnslib's. Source: RFC 1035, RFC 6891 (message size), RFC 7766 (TCP).
"""

import asyncio
import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dnslib
from dnslib import QTYPE, RCODE, RR, DNSRecord

from kubepy.addons.dns.zone import Record, Reply, Zone, address_of_reverse
from kubepy.lib import log, tasks

_log = log.get(__name__)
_UDP_PLAIN = 512
_UDP_MOST = 1232
_FORWARD_TIMEOUT_S = 2.0
_TCP_IDLE_S = 10.0
_MOST_FORWARDED = 512
_FORWARD_TRIES = 3


class DnsServer:
    """Answers on one port; `upstreams` are resolvers for names outside of the zone, `ttl_s` is what records live."""

    def __init__(self, zone: Zone, upstreams: Sequence[str], *, ttl_s: int = 30) -> None:
        self._zone = zone
        self._upstreams = list(upstreams)
        self._ttl_s = ttl_s
        self._work = tasks.Scope()
        self._slots = asyncio.Semaphore(_MOST_FORWARDED)
        self._transport: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Starts to answer; the port, for a `port` of 0."""
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve_tcp, host, port)
        port = self._tcp.sockets[0].getsockname()[1]
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(host, port))
        return port

    async def close(self) -> None:
        """Stops answering."""
        if self._transport is not None:
            self._transport.close()
        if self._tcp is not None:
            self._tcp.close()
        await self._work.close()

    def datagram(self, data: bytes, peer: tuple[Any, ...]) -> None:
        """A question by UDP: the zone's answered at once, others in a task of their own."""
        query = _parse(data)
        if query is None:
            return
        reply = self._local(query)
        if reply is not None:
            self._send(_fit(query, reply), peer)
        else:
            self._work.start(self._forward_datagram(query, data, peer), name="dns-forward")

    def _send(self, data: bytes, peer: tuple[Any, ...]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, peer)

    async def _forward_datagram(self, query: DNSRecord, data: bytes, peer: tuple[Any, ...]) -> None:
        self._send(await self._forward(query, data, stream=False), peer)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(_TCP_IDLE_S):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(size)
                query = _parse(data)
                if query is None:
                    return
                reply = self._local(query)
                answer = reply.pack() if reply is not None else await self._forward(query, data, stream=True)
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            return
        finally:
            writer.close()

    def _local(self, query: DNSRecord) -> DNSRecord | None:
        """The answer where the name is the cluster's, None where others have to be asked."""
        name, kind = str(query.q.qname), QTYPE.get(query.q.qtype)
        if self._zone.holds(name):
            return self._render(query, self._zone.answer(name, kind))
        if kind == "PTR" and (address := address_of_reverse(name)):
            found = self._zone.reverse(address)
            return self._render(query, found) if found is not None else None
        return None

    def _render(self, query: DNSRecord, found: Reply) -> DNSRecord:
        reply = query.reply(ra=1, aa=1)
        for record in random.sample(list(found.records), len(found.records)):  # clients take the first: share the load
            reply.add_answer(_resource_record(record, self._ttl_s))
        for record in found.extra:
            reply.add_ar(_resource_record(record, self._ttl_s))
        if not found.exists:
            reply.header.rcode = RCODE.NXDOMAIN
        if not found.records:
            reply.add_auth(_authority(self._zone.domain, self._ttl_s))
        return reply

    async def _forward(self, query: DNSRecord, data: bytes, *, stream: bool) -> bytes:
        async with self._slots:
            for upstream in (self._upstreams * _FORWARD_TRIES)[: max(_FORWARD_TRIES, len(self._upstreams))]:
                try:
                    async with asyncio.timeout(_FORWARD_TIMEOUT_S):
                        return await (_ask_stream(upstream, data) if stream else _ask_datagram(upstream, data))
                except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                    _log.debug("resolver did not answer", resolver=upstream, error=str(error))
        failed = query.reply(ra=1)
        failed.header.rcode = RCODE.SERVFAIL
        packed: bytes = failed.pack()
        return packed


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._server.datagram(data, addr)


class _OneAnswer(asyncio.DatagramProtocol):
    def __init__(self, wanted: bytes) -> None:
        self._wanted = wanted
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if data[:2] == self._wanted and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _ask_datagram(upstream: str, data: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _OneAnswer(data[:2]), remote_addr=(upstream, 53))
    try:
        transport.sendto(data)
        return await protocol.answer
    finally:
        transport.close()


async def _ask_stream(upstream: str, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(upstream, 53)
    try:
        writer.write(struct.pack("!H", len(data)) + data)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(size)
    finally:
        writer.close()


def _parse(data: bytes) -> DNSRecord | None:
    """The question, or None for what is none: it gets no answer."""
    try:
        query = DNSRecord.parse(data)
    except (dnslib.DNSError, struct.error, UnicodeDecodeError, ValueError):
        return None
    return query if query.questions and not query.header.qr else None


def _fit(query: DNSRecord, reply: DNSRecord) -> bytes:
    """The reply's bytes, marked as cut off where a datagram that the client takes cannot hold them."""
    limit = _UDP_PLAIN
    for record in query.ar:
        if record.rtype == QTYPE.OPT:
            limit = max(_UDP_PLAIN, min(record.rclass, _UDP_MOST))
    packed: bytes = reply.pack()
    if len(packed) <= limit:
        return packed
    reply.ar = []
    packed = reply.pack()
    if len(packed) <= limit:
        return packed
    cut: bytes = reply.truncate().pack()
    return cut


def _resource_record(record: Record, ttl_s: int) -> RR:
    kind = {"A": dnslib.A, "AAAA": dnslib.AAAA, "CNAME": dnslib.CNAME, "PTR": dnslib.PTR, "TXT": dnslib.TXT}
    data = dnslib.SRV(*record.data) if isinstance(record.data, tuple) else kind[record.type](record.data)
    return RR(record.name, getattr(QTYPE, record.type), rdata=data, ttl=ttl_s)


def _authority(domain: str, ttl_s: int) -> RR:
    """The zone's SOA: how long resolvers may remember that there is nothing."""
    times = (1, 7200, 1800, 86400, min(ttl_s, 5))
    return RR(domain, QTYPE.SOA, rdata=dnslib.SOA(f"ns.dns.{domain}", f"hostmaster.{domain}", times), ttl=ttl_s)


def read_resolvers(path: Path, *, own: str = "") -> list[str]:
    """The nameservers of a resolv.conf, this server itself left out: a loop would answer nobody."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and w[1] not in (own, "")]
