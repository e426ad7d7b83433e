"""Of several candidates one leads."""

import asyncio

import pytest

from kubepy.api import errors, resources
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops import bootstrap
from kubepy.client.client import Client
from kubepy.client.leader import LeaderElector, LeadershipLost, LeaseTiming

LEASES = resources.named("leases", "coordination.k8s.io")
QUICK = LeaseTiming(lease_s=0.6, renew_deadline_s=0.3, retry_s=0.05)


def elector(client: Client, identity: str) -> LeaderElector:
    return LeaderElector(client, "kube-system", "test", identity, timing=QUICK)


def test_the_second_leads_once_the_first_has_gone() -> None:
    async def scenario() -> list[str]:
        led: list[str] = []

        async def lead(name: str) -> None:
            led.append(name)
            await asyncio.Event().wait()

        async with in_process() as server:
            client = Client.direct(server.handler, bootstrap.SYSTEM)
            first = asyncio.create_task(elector(client, "a").run(lambda: lead("a")))
            async with asyncio.timeout(5):
                while not led:
                    await asyncio.sleep(0.01)
            second = asyncio.create_task(elector(client, "b").run(lambda: lead("b")))
            await asyncio.sleep(QUICK.lease_s * 2)
            assert led == ["a"], "a lease that is renewed is not taken"
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            async with asyncio.timeout(5):
                while len(led) < 2:
                    await asyncio.sleep(0.01)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        return led

    assert asyncio.run(scenario()) == ["a", "b"]


def test_a_leader_that_cannot_renew_stops_leading() -> None:
    async def scenario() -> bool:
        stopped = False

        async def lead() -> None:
            nonlocal stopped
            try:
                await asyncio.Event().wait()
            finally:
                stopped = True

        async with in_process() as server:
            client = Client.direct(server.handler, bootstrap.SYSTEM)
            running = asyncio.create_task(elector(client, "a").run(lead))
            while True:
                try:
                    lease = await client.get(LEASES, "test", "kube-system")
                    break
                except errors.NotFound:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.02)
            stolen = {"spec": {"holderIdentity": "b", "leaseDurationSeconds": 3600}}
            assert lease["spec"]["holderIdentity"] == "a"
            await client.patch(LEASES, "test", stolen, "kube-system")
            with pytest.raises(LeadershipLost):
                await running
        return stopped

    assert asyncio.run(scenario())
