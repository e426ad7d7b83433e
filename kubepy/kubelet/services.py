"""What the parts of one kubelet share: the runtime, the network, volumes, images, and what is known of the node."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubepy.client.client import Client
from kubepy.client.events import EventRecorder
from kubepy.kubelet.config import KubeletConfig
from kubepy.kubelet.dns import Resolver
from kubepy.kubelet.images import ImageManager
from kubepy.kubelet.objects import ObjectCache
from kubepy.kubelet.probes.prober import Prober
from kubepy.kubelet.runtime.base import Runtime
from kubepy.kubelet.status_manager import StatusManager
from kubepy.kubelet.volumes.manager import VolumeManager
from kubepy.kubelet.volumes.tokens import TokenSource
from kubepy.lib.clock import Clock
from kubepy.network.cni import Cni

Object = dict[str, Any]


@dataclass(slots=True)
class Metrics:
    """Counts and durations that /metrics shows."""

    started_containers: int = 0
    start_failures: dict[str, int] = field(default_factory=dict)
    pod_start_s: list[float] = field(default_factory=list)
    syncs: int = 0
    evictions: int = 0


@dataclass(slots=True, kw_only=True)
class NodeServices:
    """One kubelet's parts, as its pod workers use them."""

    config: KubeletConfig
    client: Client
    runtime: Runtime
    cni: Cni
    volumes: VolumeManager
    objects: ObjectCache
    tokens: TokenSource
    images: ImageManager
    prober: Prober
    statuses: StatusManager
    recorder: EventRecorder
    clock: Clock
    services: Callable[[], Iterable[Object]]
    """Every Service of the cluster, for environment variables."""
    services_ready: Callable[[], bool]
    host_ips: Sequence[str]
    memory_bytes: int
    allocatable: Mapping[str, str]
    host_resolver: Resolver
    cgroup_of: Callable[[Object], str]
    """Makes a pod's cgroup and answers its name for the runtime; empty: pods have none of their own."""
    remove_cgroup: Callable[[Object], None]
    runtime_handler: Callable[[str], str]
    metrics: Metrics = field(default_factory=Metrics)

    def pod_dir(self, uid: str) -> Path:
        return self.config.root_dir / "pods" / uid
