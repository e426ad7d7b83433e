"""Decide how this node reaches the pods of the others: a route on one segment, a VXLAN tunnel otherwise.

Invariant: every peer's range has exactly one way. A peer whose address lies in a network that this node is on
directly gets a plain route via that address; any other is reached through a tunnel device whose MAC addresses are
made of the nodes' own addresses, so that nodes need to tell each other nothing.
Pure. Source of the tunnel's shape: ip-link(8) VXLAN, bridge(8) fdb; flannel's vxlan backend for what is usual.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubepy.api.meta import Object

TUNNEL = "kubepy.vxlan"
VNI, PORT = 1, 8472
ROUTE_PROTOCOL = 157
"""Marks our routes among the machine's (`ip route ... proto`): they can be found again, and no others are touched."""


@dataclass(frozen=True, slots=True, order=True)
class Peer:
    """Another node: its address and the range of its pods."""

    address: str
    pod_cidr: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Commands for `ip -batch` and `bridge -batch`, in order."""

    ip: list[str]
    bridge: list[str]

    def __bool__(self) -> bool:
        return bool(self.ip or self.bridge)


def internal_address(node: Object) -> str | None:
    """The node's InternalIP, IPv4."""
    for entry in (node.get("status") or {}).get("addresses") or ():
        if entry["type"] == "InternalIP" and ":" not in entry["address"]:
            return str(entry["address"])
    return None


def peers(nodes: Iterable[Object], own_name: str) -> set[Peer]:
    """The other nodes that have an address and a range."""
    found = set()
    for node in nodes:
        cidr, address = (node.get("spec") or {}).get("podCIDR"), internal_address(node)
        if node["metadata"]["name"] != own_name and cidr and address and ":" not in cidr:
            found.add(Peer(address, cidr))
    return found


def is_direct(peer: Peer, segments: Sequence[str]) -> bool:
    """The peer is on a network that this node is on, too."""
    address = ipaddress.ip_address(peer.address)
    return any(address in ipaddress.ip_network(segment, strict=False) for segment in segments)


def tunnel_mac(address: str) -> str:
    """The MAC address of a node's end of the tunnel: locally administered, made of its IPv4 address."""
    return "0a:58:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)


def _gateway(peer: Peer) -> str:
    """The first address of the peer's range, which no pod has: it stands for the peer's end of the tunnel."""
    return str(ipaddress.IPv4Network(peer.pod_cidr).network_address)


def plan_tunnel(own_address: str, own_cidr: str, mtu: int) -> list[str]:
    """`ip` commands that make this node's end of the tunnel."""
    return [
        f"link add {TUNNEL} type vxlan id {VNI} local {own_address} dstport {PORT} nolearning",
        f"link set {TUNNEL} address {tunnel_mac(own_address)} mtu {mtu} up",
        f"addr add {ipaddress.IPv4Network(own_cidr).network_address}/32 dev {TUNNEL}",
    ]


def plan_peer(peer: Peer, *, direct: bool) -> Plan:
    """What adds a peer, or mends it."""
    mark = f"proto {ROUTE_PROTOCOL}"
    if direct:
        return Plan([f"route replace {peer.pod_cidr} via {peer.address} {mark}"], [])
    mac = tunnel_mac(peer.address)
    return Plan(
        [
            f"neigh replace {_gateway(peer)} lladdr {mac} dev {TUNNEL} nud permanent",
            f"route replace {peer.pod_cidr} via {_gateway(peer)} dev {TUNNEL} onlink {mark}",
        ],
        [f"fdb replace {mac} dev {TUNNEL} dst {peer.address} self permanent"],
    )


def plan_removal(peer: Peer, *, direct: bool) -> Plan:
    """What takes a peer away that is no more."""
    drop = [f"route del {peer.pod_cidr} proto {ROUTE_PROTOCOL}"]
    if direct:
        return Plan(drop, [])
    mac = tunnel_mac(peer.address)
    return Plan(
        [*drop, f"neigh del {_gateway(peer)} dev {TUNNEL}"], [f"fdb del {mac} dev {TUNNEL} dst {peer.address} self"]
    )


def render_egress(cluster_cidr: str) -> str:
    """The nft script that lets pods reach the world: what leaves the cluster takes the node's address."""
    return f"""\
add table ip kubepy-network
delete table ip kubepy-network
table ip kubepy-network {{
  comment "masquerades what pods send out of the cluster"
  chain postrouting {{
    type nat hook postrouting priority 101; policy accept;
    ip saddr {cluster_cidr} ip daddr != {cluster_cidr} ip daddr != 224.0.0.0/4 masquerade fully-random
  }}
}}
"""
