"""What a cluster has from its first moment: system namespaces, priority classes, flow control, the bootstrap policy.

Idempotent and safe to run on every start, on several servers at once: what is there is left alone.
Source: pkg/controlplane/controller/systemnamespaces, pkg/registry/scheduling/rest/storage_scheduling.go.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.loops import hooks
from kubepy.apiserver.loops.api_services import local_services
from kubepy.client.client import Client

if TYPE_CHECKING:
    from kubepy.apiserver.server import ApiServer

SYSTEM = UserInfo("system:apiserver", groups=(PRIVILEGED_GROUP, ALL_AUTHENTICATED))
_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
_PRIORITIES = (
    ("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current "
     "node."),
    ("system-cluster-critical", 2_000_000_000, "Used for system critical pods that must run in the cluster, but can be "
     "moved to another node if necessary."),
)  # fmt: skip


async def run(server: "ApiServer") -> None:
    """Makes everything that is missing."""
    client, done = server.client, server.hooks.done
    await make_missing(client, resources.named("namespaces"), map(_namespace, _NAMESPACES))
    done(hooks.NAMESPACES)
    await make_missing(
        client, resources.named("priorityclasses", "scheduling.k8s.io"), (_priority(*row) for row in _PRIORITIES)
    )
    done(hooks.PRIORITIES)
    await make_missing(
        client, resources.named("apiservices", "apiregistration.k8s.io"), local_services(resources.BUILT_IN)
    )
    done(hooks.REGISTRATION)
    await server.overload.maintain(client)
    done(hooks.LEVELS)
    if server.security.reconcile is not None:
        await server.security.reconcile(client)
    done(hooks.POLICY)


async def make_missing(client: Client, resource: Resource, wanted: Iterable[Object]) -> None:
    """Creates those objects that are not there."""
    found = {obj["metadata"]["name"] for obj in (await client.list(resource))["items"]}
    missing = [obj for obj in wanted if obj["metadata"]["name"] not in found]
    await asyncio.gather(*(_create(client, resource, obj) for obj in missing))


async def _create(client: Client, resource: Resource, obj: Object) -> None:
    with contextlib.suppress(AlreadyExists):  # another server was faster
        await client.create(resource, obj)


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _priority(name: str, value: int, description: str) -> Object:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "description": description,
        "preemptionPolicy": "PreemptLowerPriority",
    }
