"""A local copy that follows a real API server in the same process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops import bootstrap
from kubepy.client.client import Client, Object
from kubepy.client.informer import Informer

MAPS = resources.named("configmaps")


def config_map(name: str, **labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


@asynccontextmanager
async def following(**options: object) -> AsyncIterator[tuple[Client, Informer]]:
    async with in_process() as server:
        client = Client.direct(server.handler, bootstrap.SYSTEM)
        informer = Informer(client, MAPS, "default", **options)  # type: ignore[arg-type]
        task = asyncio.create_task(informer.run())
        await informer.wait_synced()
        yield client, informer
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


def test_every_change_is_told_once_and_in_order() -> None:
    async def scenario() -> list[str]:
        told: list[str] = []
        async with following() as (client, informer):
            informer.add_handler(
                on_add=lambda obj: told.append("add " + obj["metadata"]["name"]),
                on_update=lambda old, new: told.append("update " + new["data"]["k"]),
                on_delete=lambda obj: told.append("delete " + obj["metadata"]["name"]),
            )
            await client.create(MAPS, config_map("a"), "default")
            await client.patch(MAPS, "a", {"data": {"k": "1"}}, "default")
            await client.patch(MAPS, "a", {"data": {"k": "2"}}, "default")
            await client.delete(MAPS, "a", "default")
            await eventually(lambda: "delete a" in told)
        return told

    assert asyncio.run(scenario()) == ["add a", "update 1", "update 2", "delete a"]


def test_an_index_follows_what_it_is_made_of() -> None:
    async def scenario() -> tuple[int, int, int]:
        by_app = {"app": lambda obj: [obj["metadata"].get("labels", {}).get("app", "")]}
        async with following(indexers=by_app) as (client, informer):
            await client.create(MAPS, config_map("a", app="x"), "default")
            await eventually(lambda: len(informer.by_index("app", "x")) == 1)
            await client.patch(MAPS, "a", {"metadata": {"labels": {"app": "y"}}}, "default")
            await eventually(lambda: len(informer.by_index("app", "y")) == 1)
            moved = len(informer.by_index("app", "x"))
            await client.delete(MAPS, "a", "default")
            await eventually(lambda: not informer.by_index("app", "y"))
            return moved, len(informer), len(informer.by_index("app", "y"))

    assert asyncio.run(scenario()) == (0, 0, 0)


def test_a_relist_tells_the_difference_and_no_more() -> None:
    async def scenario() -> list[str]:
        told: list[str] = []
        async with following() as (client, informer):
            for name in ("stays", "goes", "changes"):
                await client.create(MAPS, config_map(name), "default")
            await eventually(lambda: len(informer) == 3)
            blind = Informer(client, MAPS, "default")
            await blind._relist()
            blind.add_handler(
                on_add=lambda obj: told.append("add " + obj["metadata"]["name"]),
                on_update=lambda old, new: told.append("update " + new["metadata"]["name"]),
                on_delete=lambda obj: told.append("delete " + obj["metadata"]["name"]),
            )
            told.clear()
            await client.delete(MAPS, "goes", "default")
            await client.patch(MAPS, "changes", {"data": {"k": "v"}}, "default")
            await client.create(MAPS, config_map("comes"), "default")
            await blind._relist()
        return sorted(told)

    assert asyncio.run(scenario()) == ["add comes", "delete goes", "update changes"]


def test_a_selector_makes_objects_come_and_go() -> None:
    async def scenario() -> bool:
        async with following(label_selector="app=x") as (client, informer):
            await client.create(MAPS, config_map("a", app="x"), "default")
            await eventually(lambda: len(informer) == 1)
            await client.patch(MAPS, "a", {"metadata": {"labels": {"app": "y"}}}, "default")
            await eventually(lambda: len(informer) == 0)
            return True

    assert asyncio.run(scenario())
