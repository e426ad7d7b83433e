"""All control loops in one process: chosen by flag, fed by shared informers, led by one of several managers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from kubepy.client.account import AccountTransport
from kubepy.client.client import Client
from kubepy.client.leader import lead_or_run
from kubepy.client.transport import HttpTransport
from kubepy.controllers.certificates.approving import CsrApprovingController
from kubepy.controllers.certificates.cleaning import CsrCleanerController
from kubepy.controllers.certificates.signing import CsrSigningController
from kubepy.controllers.clusterrole_aggregation import ClusterRoleAggregationController
from kubepy.controllers.config import ManagerConfig
from kubepy.controllers.controller import Context, Informers
from kubepy.controllers.deployment.controller import DeploymentController
from kubepy.controllers.endpoints.endpoints import EndpointsController
from kubepy.controllers.endpoints.endpointslices import EndpointSliceController
from kubepy.controllers.garbage_collector.controller import GarbageCollector
from kubepy.controllers.namespace import NamespaceController
from kubepy.controllers.node_ipam import NodeIpamController
from kubepy.controllers.node_lifecycle.controller import NodeLifecycleController
from kubepy.controllers.node_lifecycle.taint_eviction import TaintEvictionController
from kubepy.controllers.pod_gc import PodGarbageCollector
from kubepy.controllers.replicaset.controller import ReplicaSetController, ReplicationController
from kubepy.controllers.resource_quota import ResourceQuotaController
from kubepy.controllers.root_ca import RootCAPublisher
from kubepy.controllers.service_account import ServiceAccountController
from kubepy.controllers.service_cidrs import ServiceCIDRController
from kubepy.controllers.token_cleaner import LegacyTokenCleaner
from kubepy.controllers.tokens import TokensController
from kubepy.controllers.volume_protection.attributes_classes import AttributesClassProtectionController
from kubepy.controllers.volume_protection.claims import ClaimProtectionController
from kubepy.controllers.volume_protection.volumes import VolumeProtectionController
from kubepy.lib import kubeconfig, log
from kubepy.lib.kubeconfig import RestConfig

_log = log.get(__name__)


class Runnable(Protocol):
    """A controller to the manager."""

    async def run(self) -> None:
        """Works until cancelled."""


Builder = Callable[[Context], Runnable]
Enabled = Callable[[Mapping[str, Any]], bool]
ClientOf = Callable[[str], Client]
"""The client that acts as a service account of kube-system."""


def _always(values: Mapping[str, Any]) -> bool:
    return True


CONTROLLERS: Sequence[tuple[str, Builder, Enabled]] = (
    ("serviceaccount-token", TokensController, lambda v: bool(v["service-account-private-key-file"])),
    ("serviceaccount", ServiceAccountController, _always),
    ("namespace", NamespaceController, _always),
    ("root-ca-certificate-publisher", RootCAPublisher, lambda v: bool(v["root-ca-file"])),
    ("replicaset", ReplicaSetController, _always),
    ("replicationcontroller", ReplicationController, _always),
    ("deployment", DeploymentController, _always),
    ("endpoints", EndpointsController, _always),
    ("endpointslice", EndpointSliceController, _always),
    ("node-ipam", NodeIpamController, lambda v: bool(v["allocate-node-cidrs"])),
    ("node-lifecycle", NodeLifecycleController, _always),
    ("taint-eviction", TaintEvictionController, _always),
    ("pod-garbage-collector", PodGarbageCollector, _always),
    ("garbage-collector", GarbageCollector, _always),
    ("certificatesigningrequest-approving", CsrApprovingController, _always),
    ("certificatesigningrequest-signing", CsrSigningController, lambda v: bool(v["cluster-signing-cert-file"])),
    ("certificatesigningrequest-cleaner", CsrCleanerController, _always),
    ("clusterrole-aggregation", ClusterRoleAggregationController, _always),
    ("persistentvolumeclaim-protection", ClaimProtectionController, _always),
    ("persistentvolume-protection", VolumeProtectionController, _always),
    ("volumeattributesclass-protection", AttributesClassProtectionController, _always),
    ("resourcequota", ResourceQuotaController, _always),
    ("legacy-serviceaccount-token-cleaner", LegacyTokenCleaner, _always),
    ("service-cidr", ServiceCIDRController, _always),
)
"""Every loop: its name as in upstream's `--controllers`, how it is made, and what it needs to make sense."""


_NAMESPACE = "kube-system"
_ACCOUNTS: Mapping[str, str] = {
    "certificatesigningrequest-approving": "certificate-controller",
    "certificatesigningrequest-cleaner": "certificate-controller",
    "certificatesigningrequest-signing": "certificate-controller",
    "endpoints": "endpoint-controller",
    "garbage-collector": "generic-garbage-collector",
    "legacy-serviceaccount-token-cleaner": "legacy-service-account-token-cleaner",
    "node-ipam": "node-controller",
    "node-lifecycle": "node-controller",
    "persistentvolume-protection": "pv-protection-controller",
    "persistentvolumeclaim-protection": "pvc-protection-controller",
    "pod-garbage-collector": "pod-garbage-collector",
    "replicationcontroller": "replication-controller",
    "root-ca-certificate-publisher": "root-ca-cert-publisher",
    "service-cidr": "service-cidrs-controller",
    "serviceaccount": "service-account-controller",
    "taint-eviction": "node-controller",
}


def account_of(controller: str) -> str:
    """The service account in kube-system whose rights a controller has, as upstream's bootstrap roles name it."""
    return _ACCOUNTS.get(controller, f"{controller}-controller")


def chosen(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """The controllers that `--controllers` asks for. Raises ValueError for a name that there is not."""
    asked = [name.removesuffix("-controller") for name in names]
    unknown = [name for name in asked if name != "*" and name.removeprefix("-") not in known]
    if unknown:
        raise ValueError(f"--controllers: {', '.join(unknown)}: not in the list of known controllers")
    return [name for name in known if f"-{name}" not in asked and ("*" in asked or name in asked)]


def _as_account(context: Context, name: str, client_of: ClientOf | None) -> Context:
    """What the loop works with; the one that makes accounts' tokens needs the manager's own rights, as upstream."""
    if client_of is None or name == TokensController.name:
        return context
    return replace(context, client=client_of(account_of(name)))


async def run_controllers(client: Client, values: Mapping[str, Any], client_of: ClientOf | None = None) -> None:
    """Runs the chosen loops until cancelled; one that fails takes the process down, to be started again.

    Informers read through `client`; a loop asks and writes through `client_of` its account's name, if given.
    """
    informers = Informers(client)
    context = Context(client=client, informers=informers, settings=values)
    wanted = chosen(values["controllers"], [name for name, _, _ in CONTROLLERS])
    loops = [
        (name, build(_as_account(context, name, client_of)))
        for name, build, enabled in CONTROLLERS
        if name in wanted and enabled(values)
    ]
    _log.info("controllers started", count=len(loops))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            for name, loop in loops:
                group.create_task(loop.run(), name=name)
    finally:
        await asyncio.gather(*(recorder.close() for recorder in context.recorders))


async def run_manager(config: ManagerConfig, client: Client) -> None:
    """Runs the loops, as the leader where managers elect one."""

    way = None
    if config["use-service-account-credentials"]:
        way = HttpTransport(lambda: _without_credentials(config["kubeconfig"]), agent="kube-controller-manager")

    def client_of(account: str) -> Client:
        assert way is not None
        return Client(AccountTransport(way, client, _NAMESPACE, account))

    async def lead() -> None:
        await run_controllers(client, config.values, client_of if way else None)

    try:
        await lead_or_run(client, config.values, lead)
    finally:
        if way is not None:
            await way.close()


def _without_credentials(path: str) -> RestConfig:
    found = kubeconfig.load(path)
    return RestConfig(server=found.server, ca=found.ca, insecure=found.insecure)
