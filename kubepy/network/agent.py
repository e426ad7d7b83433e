"""Keeps a node's ways to the pods of other nodes in step with the Nodes; which ways is decided in routes.py.

What somebody else changed is mended once a minute. Routes outlive the process, so its restart is not noticed.
"""

import asyncio

import orjson

from kubepy.api import resources
from kubepy.api.meta import Object
from kubepy.client.client import Client
from kubepy.client.informer import Informer
from kubepy.lib import log
from kubepy.lib.commands import CommandError, run_command
from kubepy.network import routes
from kubepy.network.routes import Peer, Plan

_log = log.get(__name__)
_NODES = resources.named("nodes")
_MEND_S = 60.0
_RETRY_S = 5.0
_VXLAN_OVERHEAD = 50


class NetworkAgent:
    """The pod network of one node; `cluster_cidr` is the range of all pods."""

    def __init__(self, client: Client, *, node: str, cluster_cidr: str) -> None:
        self._node = node
        self._cluster_cidr = cluster_cidr
        self._nodes = Informer(client, _NODES, transform=_slim)
        self._changed = asyncio.Event()
        self._known: dict[Peer, bool] = {}
        self._nodes.add_handler(on_add=self._note, on_update=self._note, on_delete=self._note)

    def _note(self, *_: Object) -> None:
        self._changed.set()

    async def run(self) -> None:
        """Follows the Nodes until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._nodes.run(), name="informer-nodes")
            await self._nodes.wait_synced()
            mend = True
            while True:
                self._changed.clear()
                wait_s = _MEND_S
                try:
                    await self._sync(mend=mend)
                    mend = False
                except CommandError as error:
                    _log.warning("pod network not in step", error=str(error))
                    mend, wait_s = True, _RETRY_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                except TimeoutError:
                    mend = True

    async def _sync(self, *, mend: bool) -> None:
        if mend:
            await self._open_machine()
        wanted = routes.peers(self._nodes.items(), self._node)
        if wanted == self._known.keys() and not mend:
            return
        segments = await _segments()
        ways = {peer: routes.is_direct(peer, segments) for peer in wanted}
        if not all(ways.values()):
            await self._make_tunnel()
        for peer in self._known.keys() - wanted:
            await _forgive(routes.plan_removal(peer, direct=self._known.pop(peer)))
            _log.info("peer gone", address=peer.address, pods=peer.pod_cidr)
        for peer, direct in ways.items():
            if mend or self._known.get(peer) != direct:
                await _apply(routes.plan_peer(peer, direct=direct))
                if peer not in self._known:
                    _log.info("peer reached", address=peer.address, pods=peer.pod_cidr, direct=direct)
                self._known[peer] = direct
        if mend:
            await self._drop_strangers(wanted)

    async def _open_machine(self) -> None:
        """Lets pods out, and packets for pods through: Docker's default is to forward nothing of others."""
        await run_command("nft", "-f", "-", text=routes.render_egress(self._cluster_cidr))
        for side in ("-s", "-d"):
            rule = ("FORWARD", side, self._cluster_cidr, "-j", "ACCEPT")
            try:
                await run_command("iptables", "-w", "-C", *rule)
            except CommandError:
                await run_command("iptables", "-w", "-I", *rule)

    async def _make_tunnel(self) -> None:
        own = self._nodes.get(self._node)
        address, cidr = (routes.internal_address(own), own["spec"].get("podCIDR")) if own else (None, None)
        if not address or not cidr:
            raise CommandError(f"node {self._node} has no address or no pod range yet")
        links = orjson.loads(await run_command("ip", "-j", "link", "show"))
        if any(link["ifname"] == routes.TUNNEL for link in links):
            return
        mtu = min(link["mtu"] for link in links if link.get("operstate") == "UP") if links else 1500
        await _apply(Plan(routes.plan_tunnel(address, cidr, mtu - _VXLAN_OVERHEAD), []))
        _log.info("tunnel made", device=routes.TUNNEL, address=address)

    async def _drop_strangers(self, wanted: set[Peer]) -> None:
        """Routes of ours, from before this process, to nodes that are no more."""
        found = orjson.loads(
            await run_command("ip", "-j", "route", "show", "proto", str(routes.ROUTE_PROTOCOL)) or "[]"
        )
        cidrs = {peer.pod_cidr for peer in wanted}
        for route in found:
            if route["dst"] not in cidrs:
                await run_command("ip", "route", "del", route["dst"], "proto", str(routes.ROUTE_PROTOCOL))


async def _segments() -> list[str]:
    """Networks that this machine is on, its pods' own bridge left out."""
    found = []
    for link in orjson.loads(await run_command("ip", "-j", "-4", "addr", "show", "up")):
        if link["ifname"].startswith(("lo", "cni", "docker", "veth", "kubepy")):
            continue
        found += [f"{entry['local']}/{entry['prefixlen']}" for entry in link.get("addr_info") or ()]
    return found


async def _apply(plan: Plan) -> None:
    if plan.ip:
        await run_command("ip", "-batch", "-", text="\n".join(plan.ip) + "\n")
    if plan.bridge:
        await run_command("bridge", "-batch", "-", text="\n".join(plan.bridge) + "\n")


async def _forgive(plan: Plan) -> None:
    """Takes away what may be gone already."""
    if plan.ip:
        await run_command("ip", "-force", "-batch", "-", text="\n".join(plan.ip) + "\n", check=False)
    if plan.bridge:
        await run_command("bridge", "-force", "-batch", "-", text="\n".join(plan.bridge) + "\n", check=False)


def _slim(node: Object) -> Object:
    """Less all that no route depends on."""
    meta = node["metadata"]
    return {
        "metadata": {name: meta[name] for name in ("name", "uid", "resourceVersion")},
        "spec": {"podCIDR": (node.get("spec") or {}).get("podCIDR")},
        "status": {"addresses": (node.get("status") or {}).get("addresses")},
    }
