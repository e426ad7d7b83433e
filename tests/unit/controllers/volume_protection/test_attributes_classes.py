"""Volume attributes classes go when nothing names them."""

import asyncio
from typing import Any

import pytest

from kubepy.client.client import Client
from kubepy.controllers.controller import Controller
from kubepy.controllers.volume_protection.attributes_classes import (
    FINALIZER,
    AttributesClassProtectionController,
    classes_of_claim,
)
from tests.unit.controllers.volume_protection.loops import CLAIMS, CLASSES, becomes, claim, is_gone, with_loop


def attributes_class(name: str) -> dict[str, Any]:
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttributesClass"}
    return {**kind, "metadata": {"name": name}, "driverName": "example.com", "parameters": {"iops": "1"}}


@pytest.mark.parametrize(
    ("spec", "status", "named"),
    [
        ({}, None, set()),
        ({"volumeAttributesClassName": "a"}, {"currentVolumeAttributesClassName": "b"}, {"a", "b"}),
        ({}, {"modifyVolumeStatus": {"status": "Pending", "targetVolumeAttributesClassName": "c"}}, {"c"}),
    ],
)
def test_a_claim_names_what_it_asks_for_has_and_moves_to(spec: Any, status: Any, named: set[str]) -> None:
    assert classes_of_claim({"spec": spec, "status": status}) == named


def test_a_class_stays_while_a_claim_names_it() -> None:
    async def test(client: Client, controller: Controller) -> None:
        for name in ("used", "free"):
            await client.create(CLASSES, attributes_class(name))
        seen = asyncio.Event()
        controller._users[0].add_handler(on_add=lambda _: seen.set())  # type: ignore[attr-defined]
        await client.create(CLAIMS, claim("c", volumeAttributesClassName="used"))
        await client.patch(CLAIMS, "c", {"metadata": {"finalizers": None}}, "default")
        await seen.wait()
        await client.delete(CLASSES, "used")
        await client.delete(CLASSES, "free")
        await becomes(client, CLASSES, "free", is_gone)
        before = await client.get(CLASSES, "used")
        assert before["metadata"]["finalizers"] == [FINALIZER]
        await controller.sync("used")
        assert await client.get(CLASSES, "used") == before
        await client.delete(CLAIMS, "c", "default")
        await becomes(client, CLASSES, "used", is_gone)

    with_loop(AttributesClassProtectionController, test)
