"""The cgroup settings of a container: what its requests and limits mean to the kernel.

Pure. CPU requests become shares, CPU limits a quota, memory limits a limit; the less a container asked for,
the earlier the kernel kills it.
Source: pkg/kubelet/qos/policy.go, pkg/kubelet/cm/helpers_linux.go, kuberuntime_container_linux.go.
"""

from typing import Any

from kubepy.api import quantity
from kubepy.kubelet.podspec import init_containers, is_critical, main_containers, qos_class
from kubepy.kubelet.runtime.base import Limits

Object = dict[str, Any]

MIN_SHARES, MAX_SHARES = 2, 262144
MIN_QUOTA_US = 1000
PERIOD_US = 100_000
GUARANTEED_SCORE, BEST_EFFORT_SCORE = -997, 1000


def cpu_shares(milli_cpu: int) -> int:
    """Shares of a CPU request; 1,000 millicores are 1,024."""
    return min(max(milli_cpu * 1024 // 1000, MIN_SHARES), MAX_SHARES)


def cpu_quota(milli_cpu: int, period_us: int = PERIOD_US) -> int:
    """Microseconds in each period; 0 is no limit."""
    return max(milli_cpu * period_us // 1000, MIN_QUOTA_US) if milli_cpu else 0


def limits_of(  # one line of settings of the node each
    pod: Object,
    container: Object,
    *,
    node_memory: int,
    pids: int = 0,
    cgroup_parent: str = "",
    enforce_cpu: bool = True,
) -> Limits:
    """The container's cgroup settings."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    cpu_limit = quantity.milli(limits.get("cpu") or "0")
    cpu_request = quantity.milli(requests["cpu"]) if "cpu" in requests else cpu_limit
    return Limits(
        cpu_shares=cpu_shares(cpu_request),
        cpu_quota=cpu_quota(cpu_limit) if enforce_cpu else 0,
        cpu_period=PERIOD_US if cpu_limit and enforce_cpu else 0,
        memory=quantity.value(limits.get("memory") or "0"),
        pids=pids,
        oom_score_adj=oom_score(pod, container, node_memory),
        cgroup_parent=cgroup_parent,
    )


def oom_score(pod: Object, container: Object, node_memory: int) -> int:
    """How willing the kernel is to kill it: -997 is the least, 1000 the most."""
    if is_critical(pod):
        return GUARANTEED_SCORE
    qos = qos_class(pod)
    if qos == "Guaranteed":
        return GUARANTEED_SCORE
    if qos == "BestEffort":
        return BEST_EFFORT_SCORE
    requests = (container.get("resources") or {}).get("requests") or {}
    asked = quantity.value(requests.get("memory") or "0")
    score = 1000 - 1000 * asked // max(node_memory, 1)
    return min(max(score, 1000 + GUARANTEED_SCORE), BEST_EFFORT_SCORE - 1)


def cgroup_parent(pod: Object, root: str = "/kubepods") -> str:
    """The pod's cgroup, as the cgroupfs driver names it."""
    qos = qos_class(pod)
    middle = "" if qos == "Guaranteed" else f"/{qos.lower()}"
    return f"{root}{middle}/pod{pod['metadata']['uid']}"


def pod_limits(pod: Object) -> Limits:
    """What the pod's own cgroup is set to: its containers together."""
    shares = quota = memory = 0
    unlimited_cpu = unlimited_memory = False
    for container in main_containers(pod) + [c for c in init_containers(pod) if c.get("restartPolicy") == "Always"]:
        own = limits_of(pod, container, node_memory=1)
        shares += own.cpu_shares
        quota += own.cpu_quota
        memory += own.memory
        unlimited_cpu = unlimited_cpu or not own.cpu_quota
        unlimited_memory = unlimited_memory or not own.memory
    return Limits(
        cpu_shares=max(shares, MIN_SHARES),
        cpu_quota=0 if unlimited_cpu else quota,
        cpu_period=PERIOD_US,
        memory=0 if unlimited_memory else memory,
    )
