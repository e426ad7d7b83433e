"""The names of a cluster: what a question about one of them is answered with.

Pure: takes lookups of Services and endpoints, returns records. Invariant: a name that exists without a record of the
asked type gets an empty answer (NODATA); one that does not exist gets NXDOMAIN, as resolvers with search paths need.
Source: the "Kubernetes DNS-Based Service Discovery" specification, schema version 1.1.0.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kubepy.api.meta import Object

SCHEMA_VERSION = "1.1.0"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `data` is an address, a name, a text, or (SRV) priority, weight, port, target."""

    name: str
    type: str
    data: str | tuple[int, int, int, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question within the zone."""

    exists: bool
    records: Sequence[Record] = ()
    extra: Sequence[Record] = ()


NOT_THERE = Reply(False)
NO_DATA = Reply(True)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One ready endpoint of a headless Service."""

    addresses: tuple[str, ...]
    hostname: str
    ports: tuple[tuple[str, str, int], ...]
    """(name, protocol, number)"""


@dataclass(frozen=True, slots=True)
class Lookups:
    """Where the zone finds what it tells of."""

    service: Callable[[str, str], Object | None]
    """By namespace and name."""
    endpoints: Callable[[str, str], Iterable[Endpoint]]
    """Of a Service, by namespace and name."""
    namespace_exists: Callable[[str], bool]
    service_at: Callable[[str], Object | None]
    """By cluster address."""
    endpoint_at: Callable[[str], Iterable[tuple[Object, Endpoint]]]
    """Headless Services with that endpoint address."""


@dataclass(frozen=True, slots=True)
class Zone:
    """The cluster's domain, such as `cluster.local`."""

    domain: str
    lookups: Lookups
    _labels: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_labels", tuple(self.domain.split(".")))

    def holds(self, name: str) -> bool:
        """The name is in the domain, or the reverse of an address that the cluster may know."""
        lower = name.lower().rstrip(".")
        return lower == self.domain or lower.endswith("." + self.domain)

    def answer(self, name: str, kind: str) -> Reply:
        """The reply to a question about a name of the domain; case does not matter."""
        labels = tuple(name.lower().rstrip(".").split("."))
        path = labels[: len(labels) - len(self._labels)]
        if not path:
            return NO_DATA
        if path == ("dns-version",):
            return _typed([Record(name, "TXT", SCHEMA_VERSION)], kind)
        section, rest = path[-1], path[:-1]
        if section == "svc":
            return self._services(name, rest, kind)
        if section == "pod":
            return self._pods(name, rest, kind)
        return NOT_THERE

    def reverse(self, address: str) -> Reply | None:
        """The names of an address (PTR), or None: the cluster does not know it."""
        owner = reverse_name(address)
        service = self.lookups.service_at(address)
        if service is not None:
            return Reply(True, [Record(owner, "PTR", self._service_name(service))])
        names = [
            f"{_endpoint_label(endpoint, address)}.{self._service_name(found)}"
            for found, endpoint in self.lookups.endpoint_at(address)
        ]
        return Reply(True, [Record(owner, "PTR", name) for name in sorted(set(names))]) if names else None

    def _service_name(self, service: Object) -> str:
        meta = service["metadata"]
        return f"{meta['name']}.{meta['namespace']}.svc.{self.domain}"

    def _services(self, name: str, path: tuple[str, ...], kind: str) -> Reply:
        if not path:
            return NO_DATA
        namespace = path[-1]
        if len(path) == 1:
            return NO_DATA if self.lookups.namespace_exists(namespace) else NOT_THERE
        service = self.lookups.service(namespace, path[-2])
        if service is None:
            return NOT_THERE
        more = path[:-2]
        if service["spec"].get("type") == "ExternalName":
            return NOT_THERE if more else Reply(True, [Record(name, "CNAME", service["spec"]["externalName"])])
        if is_headless(service):
            return self._headless(name, service, more, kind)
        return self._cluster(name, service, more, kind)

    def _cluster(self, name: str, service: Object, more: tuple[str, ...], kind: str) -> Reply:
        spec = service["spec"]
        addresses = spec.get("clusterIPs") or [spec["clusterIP"]]
        if not more:
            own = [_address(name, ip) for ip in addresses]
            if kind == "SRV":
                target = self._service_name(service)
                srv = [Record(name, "SRV", (0, 100, port["port"], target)) for port in spec.get("ports") or ()]
                return Reply(True, srv, [_address(target, ip) for ip in addresses])
            return _typed(own, kind)
        wanted = _port_question(more)
        if wanted is None:
            return NOT_THERE
        target = self._service_name(service)
        found = [
            Record(name, "SRV", (0, 100, port["port"], target))
            for port in spec.get("ports") or ()
            if _fits(wanted, port.get("name", ""), port.get("protocol", "TCP"))
        ]
        if not found:
            return NOT_THERE
        return Reply(True, found, [_address(target, ip) for ip in addresses]) if kind == "SRV" else NO_DATA

    def _headless(self, name: str, service: Object, more: tuple[str, ...], kind: str) -> Reply:
        meta = service["metadata"]
        endpoints = list(self.lookups.endpoints(meta["namespace"], meta["name"]))
        base = self._service_name(service)
        if not more:
            if kind == "SRV":
                return _srv(name, base, endpoints, None)
            return _typed([_address(name, ip) for endpoint in endpoints for ip in endpoint.addresses], kind)
        if len(more) == 1:
            own = [
                _address(name, ip)
                for endpoint in endpoints
                for ip in endpoint.addresses
                if _endpoint_label(endpoint, ip) == more[0]
            ]
            return _typed(own, kind) if own else NOT_THERE
        wanted = _port_question(more)
        reply = _srv(name, base, endpoints, wanted) if wanted else NOT_THERE
        if not reply.records:
            return NOT_THERE
        return reply if kind == "SRV" else NO_DATA

    def _pods(self, name: str, path: tuple[str, ...], kind: str) -> Reply:
        """`1-2-3-4.NAMESPACE.pod`: an address as a name, for certificates; it need not be a pod's."""
        if not path or not self.lookups.namespace_exists(path[-1]):
            return NOT_THERE if path else NO_DATA
        if len(path) == 1:
            return NO_DATA
        if len(path) > 2:  # address and namespace, nothing before them
            return NOT_THERE
        for separator in (".", ":"):
            try:
                address = str(ipaddress.ip_address(path[0].replace("-", separator)))
            except ValueError:
                continue
            return _typed([_address(name, address)], kind)
        return NOT_THERE


def is_headless(service: Object) -> bool:
    return service["spec"].get("clusterIP") in (None, "", "None")


def reverse_name(address: str) -> str:
    """`4.3.2.1.in-addr.arpa`."""
    return ipaddress.ip_address(address).reverse_pointer


def address_of_reverse(name: str) -> str | None:
    """The address that a reverse name is about, or None."""
    labels = name.lower().rstrip(".").split(".")
    if labels[-2:] == ["in-addr", "arpa"] and len(labels) == 6:  # four bytes and the suffix
        text = ".".join(reversed(labels[:4]))
    elif labels[-2:] == ["ip6", "arpa"] and len(labels) == 34:  # 32 digits and the suffix
        digits = "".join(reversed(labels[:32]))
        text = ":".join(digits[i : i + 4] for i in range(0, 32, 4))
    else:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _address(name: str, ip: str) -> Record:
    return Record(name, "AAAA" if ":" in ip else "A", ip)


def _typed(records: Sequence[Record], kind: str) -> Reply:
    """The records of the asked type; a name that has others exists all the same."""
    return Reply(True, [record for record in records if kind in (record.type, "ANY")])


def _endpoint_label(endpoint: Endpoint, address: str) -> str:
    """The name of an endpoint below its Service: its hostname, or its address with dashes."""
    return endpoint.hostname or address.replace(".", "-").replace(":", "-")


def _port_question(more: tuple[str, ...]) -> tuple[str, str] | None:
    """(`http`, `tcp`) of `_http._tcp`."""
    if len(more) == 2 and all(label.startswith("_") for label in more):
        return more[0][1:], more[1][1:]
    return None


def _fits(wanted: tuple[str, str] | None, name: str, protocol: str) -> bool:
    return wanted is None or wanted == (name.lower(), protocol.lower())


def _srv(name: str, base: str, endpoints: Sequence[Endpoint], wanted: tuple[str, str] | None) -> Reply:
    records, extra = [], []
    for endpoint in endpoints:
        for ip in endpoint.addresses:
            target = f"{_endpoint_label(endpoint, ip)}.{base}"
            ports = [number for port, protocol, number in endpoint.ports if _fits(wanted, port, protocol)]
            records += [Record(name, "SRV", (0, 100, number, target)) for number in ports]
            extra += [_address(target, ip)] if ports else []
    return Reply(True, records, extra)
