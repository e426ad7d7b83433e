"""Gives each node a range of pod addresses out of the cluster's.

Invariant: two nodes never have overlapping ranges, and a node keeps the one that it has. Decided from the nodes
themselves, so nothing else needs to be remembered. Source: pkg/controller/nodeipam/ipam/range_allocator.go.
"""

import ipaddress
from collections.abc import Iterable

from kubepy.api import resources
from kubepy.api.meta import Object, is_deleting, key_of
from kubepy.controllers.controller import Context, Controller
from kubepy.lib import log
from kubepy.lib.workqueue import Retry

_log = log.get(__name__)
_NODES = resources.named("nodes")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class CidrAllocator:
    """The ranges of `prefix` bits in `cluster` that are taken; the lowest free one is given next."""

    def __init__(self, cluster: Network, prefix: int) -> None:
        self._base = int(cluster.network_address)
        self._kind = type(cluster)
        self._prefix = prefix
        self._step = 1 << (cluster.max_prefixlen - prefix)
        self._count = 1 << (prefix - cluster.prefixlen)
        self._taken: set[int] = set()
        self._next = 0

    def occupy(self, cidr: str) -> None:
        """Marks every range that overlaps `cidr`; one outside of the cluster's marks nothing."""
        network = ipaddress.ip_network(cidr)
        first = (int(network.network_address) - self._base) // self._step
        last = (int(network.broadcast_address) - self._base) // self._step
        self._taken.update(n for n in range(max(first, 0), min(last, self._count - 1) + 1))

    def release(self, cidr: str) -> None:
        """Frees the range, to be given again."""
        number = (int(ipaddress.ip_network(cidr).network_address) - self._base) // self._step
        self._taken.discard(number)
        self._next = min(self._next, max(number, 0))

    def allocate(self) -> str | None:
        """A free range, taken from now on; None when there is none."""
        for number in range(self._next, self._count):
            if number not in self._taken:
                self._taken.add(number)
                self._next = number + 1
                return str(self._kind((self._base + number * self._step, self._prefix)))
        return None


class NodeIpamController(Controller):
    """Works nodes without a range; one worker, since ranges are given one after the other."""

    name = "node-ipam"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._recorder = context.recorder("cidrAllocator")
        cluster = ipaddress.ip_network(str(context.settings["cluster-cidr"]))
        self._allocator = CidrAllocator(cluster, int(str(context.settings.get("node-cidr-mask-size", 24))))
        self._leave_to_services(cluster, str(context.settings.get("service-cluster-ip-range") or ""))
        self._nodes = self.watch(_NODES)
        self._nodes.add_handler(
            on_add=self._node_seen, on_update=lambda _, new: self._node_seen(new), on_delete=self._node_gone
        )

    def _leave_to_services(self, cluster: Network, ranges: str) -> None:
        """Takes what Services have out of the cluster's range, where the two overlap."""
        for cidr in filter(None, ranges.split(",")):
            if ipaddress.ip_network(cidr).version == cluster.version:
                self._allocator.occupy(cidr)

    def _node_seen(self, node: Object) -> None:
        cidrs = _cidrs(node)
        for cidr in cidrs:
            self._allocator.occupy(cidr)
        if not cidrs and not is_deleting(node):
            self.queue.add(key_of(node))

    def _node_gone(self, node: Object) -> None:
        for cidr in _cidrs(node):
            self._allocator.release(cidr)

    async def sync(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None or _cidrs(node):
            return
        cidr = self._allocator.allocate()
        if cidr is None:
            self._recorder.event(node, "Normal", "CIDRNotAvailable", f"Node {key} status is now: CIDRNotAvailable")
            raise Retry
        patch = {
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        }
        try:
            await self.client.patch(_NODES, key, patch)
        except BaseException:
            self._allocator.release(cidr)
            raise
        _log.info("range given", node=key, cidr=cidr)


def _cidrs(node: Object) -> Iterable[str]:
    spec = node.get("spec") or {}
    return spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
