"""Claims go with the last pod that needs them, and tell whether one uses them."""

from kubepy.api.meta import condition_of
from kubepy.client.client import Client
from kubepy.controllers.controller import Controller
from kubepy.controllers.volume_protection.claims import FINALIZER, ClaimProtectionController
from tests.unit.controllers.volume_protection.loops import (
    CLAIMS,
    PODS,
    Object,
    becomes,
    claim,
    is_gone,
    of_claim,
    pod,
    with_loop,
)


def unused(found: Object | None) -> str | None:
    return (condition_of(found or {}, "Unused") or {}).get("status")


async def bind(client: Client, name: str) -> None:
    await client.patch(CLAIMS, name, {"status": {"phase": "Bound"}}, "default", subresource="status")


def test_a_claim_that_nobody_uses_goes_at_once() -> None:
    async def test(client: Client, _: Controller) -> None:
        await client.create(CLAIMS, claim("c"))
        await client.create(PODS, pod("unscheduled", of_claim("c"), node=""))
        await client.delete(CLAIMS, "c", "default")
        await becomes(client, CLAIMS, "c", is_gone)

    with_loop(ClaimProtectionController, test)


def test_a_claim_stays_until_the_last_pod_that_names_it_is_gone() -> None:
    async def test(client: Client, _: Controller) -> None:
        await client.create(CLAIMS, claim("c"))
        await client.create(CLAIMS, claim("free"))
        for name in ("a", "b"):
            await client.create(PODS, pod(name, of_claim("c")))
        await client.delete(CLAIMS, "c", "default")
        await client.delete(PODS, "a", "default", grace_period_s=0)
        await client.patch(PODS, "b", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
        await client.delete(CLAIMS, "free", "default")
        await becomes(client, CLAIMS, "free", is_gone)
        assert (await client.get(CLAIMS, "c", "default"))["metadata"]["finalizers"] == [FINALIZER]
        await client.delete(PODS, "b", "default", grace_period_s=0)
        await becomes(client, CLAIMS, "c", is_gone)

    with_loop(ClaimProtectionController, test)


def test_a_pod_that_the_cache_does_not_know_keeps_a_claim() -> None:
    async def test(client: Client, controller: Controller) -> None:
        await client.create(CLAIMS, claim("c"))
        await client.create(PODS, pod("a", of_claim("c")))
        controller._pods.by_index = lambda *_: []  # type: ignore[attr-defined]  # a cache that lags behind
        await client.delete(CLAIMS, "c", "default")
        await client.create(CLAIMS, claim("free"))
        await client.delete(CLAIMS, "free", "default")
        await becomes(client, CLAIMS, "free", is_gone)
        assert (await client.get(CLAIMS, "c", "default"))["metadata"]["finalizers"] == [FINALIZER]

    with_loop(ClaimProtectionController, test)


def test_a_claim_without_the_finalizer_gets_it() -> None:
    async def test(client: Client, _: Controller) -> None:
        await client.create(CLAIMS, claim("c"))
        await client.patch(CLAIMS, "c", {"metadata": {"finalizers": ["example.com/mine"]}}, "default")
        await becomes(client, CLAIMS, "c", lambda one: one and FINALIZER in one["metadata"]["finalizers"])
        await client.delete(CLAIMS, "c", "default")
        await becomes(client, CLAIMS, "c", lambda one: one and one["metadata"]["finalizers"] == ["example.com/mine"])

    with_loop(ClaimProtectionController, test)


def test_a_bound_claim_tells_whether_it_is_used_and_a_second_sync_writes_nothing() -> None:
    async def test(client: Client, controller: Controller) -> None:
        await client.create(CLAIMS, claim("c"))
        await bind(client, "c")
        await becomes(client, CLAIMS, "c", lambda one: unused(one) == "True")
        await client.create(PODS, pod("a", of_claim("c"), node=""))
        await becomes(client, CLAIMS, "c", lambda one: unused(one) == "False")
        await client.patch(PODS, "a", {"status": {"phase": "Failed"}}, "default", subresource="status")
        await becomes(client, CLAIMS, "c", lambda one: unused(one) == "True")
        before = await client.get(CLAIMS, "c", "default")
        controller._enqueue("default/c")  # type: ignore[attr-defined]
        await controller.sync("default")
        assert await client.get(CLAIMS, "c", "default") == before

    with_loop(ClaimProtectionController, test)
