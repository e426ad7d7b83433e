"""The Lease of an API server: made, renewed, and taken away from servers that are gone."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta

import uvloop

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops.server_lease import ServerLease, is_expired, render_lease, server_id
from kubepy.lib.clock import SYSTEM

LEASES = resources.named("leases", "coordination.k8s.io")
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_a_host_has_one_name() -> None:
    assert server_id("control-plane-1") == server_id("control-plane-1") != server_id("control-plane-2")
    assert server_id("control-plane-1").startswith("apiserver-")
    assert len(server_id("control-plane-1")) == len("apiserver-") + 26


def test_a_lease_ends_when_nobody_renews_it() -> None:
    lease = render_lease("a", "holder", NOW)
    assert not is_expired(lease, NOW + timedelta(minutes=59))
    assert is_expired(lease, NOW + timedelta(minutes=61))
    assert is_expired({"spec": {"holderIdentity": "x"}}, NOW)


def test_the_lease_is_made_and_renewed_and_dead_ones_are_taken_away() -> None:
    async def test() -> None:
        async with in_process() as server:
            client, name = server.client, server_id(socket.gethostname())
            while not (await client.list(LEASES, "kube-system"))["items"]:
                await asyncio.sleep(0.01)  # the loop beside the server makes it
            first = await client.get(LEASES, name, "kube-system")
            assert first["metadata"]["labels"]["apiserver.kubernetes.io/identity"] == "kube-apiserver"
            await client.create(LEASES, render_lease("gone", "x", NOW - timedelta(days=1000)))
            await client.create(
                LEASES, {**render_lease("b", "x", NOW), "metadata": {"name": "b", "namespace": "default"}}
            )
            successor = ServerLease(client, SYSTEM)
            await successor.renew()
            await successor.collect()
            left = await client.list(LEASES)
            assert {lease["metadata"]["name"] for lease in left["items"]} == {name, "b"}
            renewed = await client.get(LEASES, name, "kube-system")
            assert renewed["spec"]["holderIdentity"] != first["spec"]["holderIdentity"]
            assert renewed["spec"]["renewTime"] > first["spec"]["renewTime"]

    uvloop.run(test())
