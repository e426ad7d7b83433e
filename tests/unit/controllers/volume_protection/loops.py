"""Loops of one kind against a server in this process, and what they have come to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from kubepy.api import resources
from kubepy.api.resources import Resource
from kubepy.apiserver.embedded import in_process
from kubepy.client.client import Client
from kubepy.controllers.controller import Context, Controller, Informers

CLAIMS, PODS, VOLUMES = (resources.named(name) for name in ("persistentvolumeclaims", "pods", "persistentvolumes"))
CLASSES = resources.named("volumeattributesclasses", "storage.k8s.io")
Object = dict[str, Any]


def with_loop(kind: type[Controller], test: Callable[[Client, Controller], Awaitable[None]]) -> None:
    """Runs `test` with a server in this process while a loop of that kind works."""

    async def run() -> None:
        async with asyncio.timeout(30), in_process() as server, asyncio.TaskGroup() as group:
            client = server.client
            informers = Informers(client)
            controller = kind(Context(client=client, informers=informers))
            running = [group.create_task(informers.run()), group.create_task(controller.run())]
            await test(client, controller)
            for task in running:
                task.cancel()

    uvloop.run(run())


async def becomes(client: Client, resource: Resource, name: str, done: Callable[[Object | None], Any]) -> None:
    """Waits, with a watch, until `done` says so of the object (None when it is gone)."""
    namespace = "default" if resource.namespaced else None
    listed = await client.list(resource, namespace)
    if done(next((one for one in listed["items"] if one["metadata"]["name"] == name), None)):
        return
    version = listed["metadata"]["resourceVersion"]
    async for kind, one in client.watch(resource, namespace, resource_version=version, bookmarks=False):
        if one["metadata"]["name"] == name and done(None if kind == "DELETED" else one):
            return


def is_gone(found: Object | None) -> bool:
    return found is None


def claim(name: str, **spec: Any) -> Object:
    amounts = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": amounts, "storageClassName": "", **spec}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def volume(name: str, **spec: Any) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/v"}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def pod(name: str, *volumes: Object, node: str = "n1") -> Object:
    spec: Object = {"containers": [{"name": "c", "image": "i"}], "volumes": list(volumes)}
    if node:
        spec["nodeName"] = node
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def of_claim(name: str) -> Object:
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}
