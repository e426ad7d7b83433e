"""The Service `kubernetes` and its endpoints."""

import pytest
import uvloop

from kubepy.api import resources
from kubepy.apiserver import server as servers
from kubepy.apiserver.config.command_line import ApiServerConfig
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


@pytest.mark.parametrize(("kind", "address"), [("lease", "192.0.2.9"), ("none", None)])
def test_endpoints_are_left_alone_where_that_is_asked_for(
    kind: str, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str | None] = []

    class Watched(KubernetesService):
        async def run(self) -> None:
            found.append(self._address)

    async def run() -> None:
        config = ApiServerConfig(
            storage_backend="embedded", advertise_address="192.0.2.9", endpoint_reconciler_type=kind
        )
        async with in_process(config=config) as server:
            await server.client.get(resources.named("services"), "kubernetes", "default")

    monkeypatch.setattr(servers, "KubernetesService", Watched)
    uvloop.run(run())
    assert found == [address]
