"""Volumes go when no claim has them."""

from kubepy.client.client import Client
from kubepy.controllers.controller import Controller
from kubepy.controllers.volume_protection.volumes import FINALIZER, VolumeProtectionController
from tests.unit.controllers.volume_protection.loops import VOLUMES, becomes, is_gone, volume, with_loop


def test_a_volume_stays_while_it_is_bound() -> None:
    async def test(client: Client, controller: Controller) -> None:
        for name in ("bound", "free"):
            await client.create(VOLUMES, volume(name))
        await client.patch(VOLUMES, "bound", {"status": {"phase": "Bound"}}, subresource="status")
        await client.delete(VOLUMES, "bound")
        await client.delete(VOLUMES, "free")
        await becomes(client, VOLUMES, "free", is_gone)
        before = await client.get(VOLUMES, "bound")
        await controller.sync("bound")
        assert await client.get(VOLUMES, "bound") == before
        assert before["metadata"]["finalizers"] == [FINALIZER]
        await client.patch(VOLUMES, "bound", {"status": {"phase": "Released"}}, subresource="status")
        await becomes(client, VOLUMES, "bound", is_gone)

    with_loop(VolumeProtectionController, test)


def test_a_volume_without_the_finalizer_gets_it() -> None:
    async def test(client: Client, _: Controller) -> None:
        await client.create(VOLUMES, volume("v"))
        await client.patch(VOLUMES, "v", {"metadata": {"finalizers": None}})
        await becomes(client, VOLUMES, "v", lambda one: one and FINALIZER in (one["metadata"].get("finalizers") or ()))

    with_loop(VolumeProtectionController, test)
