"""The Service `kubernetes` and its endpoints."""

import uvloop

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops.kubernetes_service import KubernetesService, advertised_address, plan, render_slice
from kubepy.lib.clock import SYSTEM

SLICES = resources.named("endpointslices", "discovery.k8s.io")


def test_the_advertised_address_goes_before_the_bound_one() -> None:
    assert advertised_address("192.0.2.1", "192.0.2.2") == "192.0.2.1"
    assert advertised_address("", "192.0.2.2") == "192.0.2.2"


def test_what_is_as_wanted_is_not_written() -> None:
    wanted = render_slice(["192.0.2.1"], 6443)
    assert plan({**wanted, "metadata": {"name": "other"}}, wanted, ("endpoints", "ports")) is None
    changed = plan({**wanted, "ports": []}, wanted, ("endpoints", "ports"))
    assert changed is not None
    assert changed["ports"] == wanted["ports"]


def test_every_server_that_lives_is_an_endpoint_until_it_leaves() -> None:
    async def run() -> None:
        async with in_process() as server:
            other = [
                KubernetesService(server.client, server.store, SYSTEM, address=address, port=6443)
                for address in ("192.0.2.7", "192.0.2.8")
            ]
            for one in other:
                await one.sync()

            async def addresses() -> list[str]:
                found = await server.client.get(SLICES, "kubernetes", "default")
                return [endpoint["addresses"][0] for endpoint in found["endpoints"]]

            assert {"192.0.2.7", "192.0.2.8"} <= set(await addresses())
            await other[0]._leave()
            await other[1].sync()
            assert "192.0.2.7" not in await addresses()
            service = await server.client.get(resources.named("services"), "kubernetes", "default")
            assert service["spec"]["clusterIP"] == "10.96.0.1"

    uvloop.run(run())
