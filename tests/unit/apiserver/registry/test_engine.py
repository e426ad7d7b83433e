"""The engine on the embedded store: races, retries, and what each kind keeps, resets and counts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from kubepy.api import resources
from kubepy.api.errors import Conflict, NotFound
from kubepy.apiserver.embedded import in_process
from kubepy.client.client import Client

MAPS, PODS, SECRETS = (resources.named(name) for name in ("configmaps", "pods", "secrets"))
NAMESPACES, LEASES = resources.named("namespaces"), resources.named("leases", "coordination.k8s.io")
DEPLOYMENTS, JOBS = resources.named("deployments", "apps"), resources.named("jobs", "batch")
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def on_api(test: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with in_process() as server:
            await test(Client.direct(server.handler, "admin"))

    uvloop.run(run())


def make(resource: resources.Resource, name: str, **fields: Any) -> dict[str, Any]:
    meta = {"name": name, **({"namespace": "default"} if resource.namespaced else {})}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **fields}


def test_patches_that_race_are_all_applied() -> None:
    async def test(api: Client) -> None:
        await api.create(MAPS, make(MAPS, "m"))
        await asyncio.gather(*(api.patch(MAPS, "m", {"data": {f"k{n}": "v"}}, "default") for n in range(20)))
        assert len((await api.get(MAPS, "m", "default"))["data"]) == 20

    on_api(test)


def test_of_updates_that_race_one_wins() -> None:
    async def test(api: Client) -> None:
        made = await api.create(MAPS, make(MAPS, "m"))
        versions = [{**made, "data": {"n": str(n)}} for n in range(5)]
        results = await asyncio.gather(*(api.update(MAPS, one) for one in versions), return_exceptions=True)
        assert sum(isinstance(result, Conflict) for result in results) == 4

    on_api(test)


def test_names_are_generated_until_one_is_free() -> None:
    async def test(api: Client) -> None:
        meta = {"generateName": "g-", "namespace": "default"}
        made = [await api.create(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}) for _ in range(5)]
        names = {one["metadata"]["name"] for one in made}
        assert len(names) == 5
        assert all(name.startswith("g-") and len(name) == 7 for name in names)

    on_api(test)


def test_generation_counts_the_spec_and_nothing_else() -> None:
    async def test(api: Client) -> None:
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
        made = await api.create(DEPLOYMENTS, make(DEPLOYMENTS, "d", spec=spec, status={"replicas": 7}))
        assert (made["metadata"]["generation"], made["status"]) == (1, {})

        async def generation(patch: dict[str, Any], subresource: str | None = None) -> int:
            found = await api.patch(DEPLOYMENTS, "d", patch, "default", subresource=subresource)
            return int(found["metadata"]["generation"])

        assert await generation({"metadata": {"labels": {"x": "y"}}}) == 1
        assert await generation({"status": {"replicas": 9}}) == 1
        assert await generation({"status": {"replicas": 9}, "spec": {"replicas": 5}}, "status") == 1
        found = await api.get(DEPLOYMENTS, "d", "default")
        assert (found["spec"]["replicas"], found["status"]["replicas"]) == (1, 9)
        assert await generation({"spec": {"replicas": 5}}) == 2

    on_api(test)


def test_secrets_take_text_and_keep_bytes() -> None:
    async def test(api: Client) -> None:
        made = await api.create(SECRETS, make(SECRETS, "s", stringData={"k": "v"}))
        assert (made["data"], made["type"], "stringData" in made) == ({"k": "dg=="}, "Opaque", False)

    on_api(test)


def test_a_job_selects_its_pods_by_its_uid() -> None:
    async def test(api: Client) -> None:
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
        job = await api.create(JOBS, make(JOBS, "j", spec={"template": template}))
        uid = job["metadata"]["uid"]
        label = "batch.kubernetes.io/controller-uid"
        assert job["spec"]["selector"]["matchLabels"] == {label: uid}
        assert job["spec"]["template"]["metadata"]["labels"][label] == uid

    on_api(test)


def test_a_namespace_goes_when_its_finalizer_is_taken() -> None:
    async def test(api: Client) -> None:
        await api.create(NAMESPACES, make(NAMESPACES, "n"))
        marked = await api.delete(NAMESPACES, "n")
        assert (marked["status"]["phase"], marked["spec"]["finalizers"]) == ("Terminating", ["kubernetes"])
        await api.update(NAMESPACES, {**marked, "spec": {}}, subresource="finalize")
        with pytest.raises(NotFound):
            await api.get(NAMESPACES, "n")

    on_api(test)


def test_a_lease_may_be_made_by_an_update() -> None:
    async def test(api: Client) -> None:
        lease = make(LEASES, "l", spec={"holderIdentity": "me", "leaseDurationSeconds": 15})
        assert (await api.update(LEASES, lease))["spec"]["holderIdentity"] == "me"
        with pytest.raises(NotFound):
            await api.update(MAPS, make(MAPS, "none"))

    on_api(test)


def test_pods_are_born_pending_with_their_quality_of_service() -> None:
    async def test(api: Client) -> None:
        made = await api.create(PODS, make(PODS, "p", spec=TEMPLATE["spec"], status={"phase": "Running"}))
        assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
        status = {"status": {"phase": "Running"}, "spec": {"nodeName": "n1"}}
        running = await api.patch(PODS, "p", status, "default", subresource="status")
        assert (running["status"]["phase"], running["spec"].get("nodeName")) == ("Running", None)

    on_api(test)
