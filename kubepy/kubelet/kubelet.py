"""The kubelet as one object: its parts made, run together, and stopped without touching a container."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from kubepy.api import resources
from kubepy.client.client import Client
from kubepy.client.events import EventRecorder
from kubepy.client.informer import Informer
from kubepy.kubelet import machine
from kubepy.kubelet.cgroups import PodCgroups
from kubepy.kubelet.config import KubeletConfig
from kubepy.kubelet.containers import pod_facts
from kubepy.kubelet.downward import PodFacts
from kubepy.kubelet.images import ImageManager
from kubepy.kubelet.node import NodeKeeper
from kubepy.kubelet.objects import ObjectCache
from kubepy.kubelet.pod_manager import PodManager
from kubepy.kubelet.podspec import uid_of
from kubepy.kubelet.probes.prober import Prober
from kubepy.kubelet.runtime.base import Runtime, RuntimeFault
from kubepy.kubelet.sandboxes import read_host_resolver
from kubepy.kubelet.services import NodeServices
from kubepy.kubelet.static_pods import StaticPods
from kubepy.kubelet.status_manager import StatusManager
from kubepy.kubelet.volumes.base import Context
from kubepy.kubelet.volumes.manager import VolumeManager
from kubepy.kubelet.volumes.tokens import TokenSource
from kubepy.lib import log
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.network.cni import Cni

Object = dict[str, Any]

_log = log.get(__name__)


class Kubelet:
    """One node's agent. `run` returns only when cancelled; containers go on without it."""

    def __init__(self, config: KubeletConfig, client: Client, runtime: Runtime, *, clock: Clock = SYSTEM) -> None:
        self.config = config
        self.client = client
        self.runtime = runtime
        self._clock = clock
        name = config.node_name
        self.recorder = EventRecorder(client, "kubelet", name)
        self._pod_informer = Informer(client, resources.named("pods"), field_selector=f"spec.nodeName={name}")
        self._service_informer = Informer(client, resources.named("services"))
        self._node_informer = Informer(client, resources.named("nodes"), field_selector=f"metadata.name={name}")
        self._class_informer = Informer(client, resources.named("runtimeclasses", "node.k8s.io"))
        self.host_ips = config.node_ips or machine.default_addresses()
        self.cni = Cni(config.cni_conf_dir, config.cni_bin_dirs, config.root_dir / "cni")
        self.node = NodeKeeper(
            config,
            client,
            runtime,
            clock=clock,
            recorder=self.recorder,
            host_ips=self.host_ips,
            network_fault=self.cni.fault,
            hostname=socket.gethostname(),
        )
        self._cgroups: PodCgroups | None = None
        self.services = self._make_services()
        self.manager = PodManager(self.services, self._pod_informer, self._current_node)

    def _make_services(self) -> NodeServices:
        objects = ObjectCache(self.client, self._object_changed)
        tokens = TokenSource(self.client, self._clock)
        context = Context(root=self.config.root_dir, fetch=objects.fetch, token=tokens.token, facts=self._facts)
        return NodeServices(
            config=self.config,
            client=self.client,
            runtime=self.runtime,
            cni=self.cni,
            volumes=VolumeManager(context),
            objects=objects,
            tokens=tokens,
            images=ImageManager(self.runtime, self._clock),
            prober=Prober(self.runtime),
            # the manager is made from these services: it is looked up when it is there
            statuses=StatusManager(self.client, lambda uid: self.manager.api_pod(uid)),  # noqa: PLW0108
            recorder=self.recorder,
            clock=self._clock,
            services=self._service_informer.items,
            services_ready=lambda: self._service_informer.synced,
            host_ips=self.host_ips,
            memory_bytes=machine.memory_bytes(),
            allocatable=self.node.allocatable,
            host_resolver=read_host_resolver(self.config.resolv_conf),
            cgroup_of=lambda pod: self._cgroups.make(pod) if self._cgroups else "",
            remove_cgroup=lambda pod: self._cgroups.remove(pod) if self._cgroups else None,
            runtime_handler=self._runtime_handler,
        )

    def _object_changed(self, pod_uid: str) -> None:
        worker = self.manager.workers.get(pod_uid)
        if worker is not None:
            worker.refresh()

    def _facts(self, pod: Object) -> PodFacts:
        worker = self.manager.workers.get(uid_of(pod))
        sandbox = worker.observed.sandbox if worker else None
        return pod_facts(self.services, sandbox.ips if sandbox else (), pod)

    def _current_node(self) -> Object:
        return self._node_informer.get(self.config.node_name) or self.node.node

    def _node_came(self, node: Object) -> None:
        self.node.seen(node)
        self.manager.node_seen()

    def _runtime_handler(self, class_name: str) -> str:
        """The handler of a RuntimeClass. Raises RuntimeFault when there is no such class."""
        if not class_name:
            return ""
        found = self._class_informer.get(class_name)
        if found is None:
            raise RuntimeFault(f'failed to get sandbox runtime: RuntimeClass "{class_name}" not found')
        return str(found.get("handler") or "")

    async def run(self) -> None:
        """Until cancelled."""
        self.config.root_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._node_informer.add_handler(on_add=self._node_came, on_update=lambda _, new: self.node.seen(new))
        try:
            async with asyncio.TaskGroup() as group:
                for informer in (
                    self._pod_informer, self._service_informer, self._node_informer, self._class_informer
                ):  # fmt: skip
                    group.create_task(informer.run(), name=f"{informer.resource.plural} informer")
                await self._prepare()
                group.create_task(self.node.run(), name="node")
                with suppress(TimeoutError):
                    # pods need the services' variables; without an API server they would never come
                    async with asyncio.timeout(10):
                        await self._service_informer.wait_synced()
                group.create_task(self.manager.run(), name="pods")
                if self.config.static_pod_path is not None:
                    static = StaticPods(
                        self.config.static_pod_path,
                        self.config.node_name,
                        every_s=self.config.file_check_s,
                        clock=self._clock,
                        tell=self.manager.set_static,
                    )
                    group.create_task(static.run(), name="static pods")
        finally:
            await self.close()

    async def _prepare(self) -> None:
        if self.config.cgroups_per_qos:
            driver = "cgroupfs"
            with suppress(RuntimeFault):
                driver = str((await self.runtime.info()).get("CgroupDriver") or driver)
            self._cgroups = await asyncio.to_thread(
                PodCgroups, self.config.cgroup_root, driver=driver, pids=self.config.pod_pids_limit
            )

    async def close(self) -> None:
        """Ends the parts; every container stays as it is."""
        await self.manager.close()
        await self.services.statuses.close()
        await self.services.objects.close()
        await self.services.prober.close()
        await self.recorder.close()
