"""Questions about a pod that everybody asks: its containers by kind, its QoS class, its hash.

Pure. Pods are plain dicts with the API's defaults applied; a missing field is answered as its default.
Source: pkg/apis/core/v1/helper/qos/qos.go; pkg/kubelet/container/helpers.go; pkg/kubelet/types/pod_update.go.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from kubepy.api import pods

Object = dict[str, Any]

MIRROR = "kubernetes.io/config.mirror"
SOURCE = "kubernetes.io/config.source"
HASH = "kubernetes.io/config.hash"
SEEN = "kubernetes.io/config.seen"
CRITICAL_PRIORITY = 2_000_000_000


def uid_of(pod: Object) -> str:
    return str(pod["metadata"].get("uid", ""))


def full_name(pod: Object) -> str:
    """`name_namespace`: how kubelet messages name a pod."""
    return f"{pod['metadata']['name']}_{pod['metadata'].get('namespace', 'default')}"


def annotations(pod: Object) -> dict[str, str]:
    return pod["metadata"].get("annotations") or {}


def is_static(pod: Object) -> bool:
    return annotations(pod).get(SOURCE) in ("file", "http")


def is_mirror(pod: Object) -> bool:
    return MIRROR in annotations(pod)


def is_critical(pod: Object) -> bool:
    return is_static(pod) or is_mirror(pod) or (pod["spec"].get("priority") or 0) >= CRITICAL_PRIORITY


def init_containers(pod: Object) -> list[Object]:
    return pod["spec"].get("initContainers") or []


def main_containers(pod: Object) -> list[Object]:
    return pod["spec"].get("containers") or []


def ephemeral_containers(pod: Object) -> list[Object]:
    return pod["spec"].get("ephemeralContainers") or []


def every_container(pod: Object) -> Iterator[Object]:
    yield from init_containers(pod)
    yield from main_containers(pod)
    yield from ephemeral_containers(pod)


def container_named(pod: Object, name: str) -> Object | None:
    return next((c for c in every_container(pod) if c["name"] == name), None)


def is_sidecar(container: Object) -> bool:
    """A restartable init container: it starts in order and then stays."""
    return container.get("restartPolicy") == "Always"


def restart_policy(pod: Object) -> str:
    return str(pod["spec"].get("restartPolicy") or "Always")


def grace_period_s(pod: Object) -> int:
    """Seconds that the containers get to end: the deletion's own where there is one."""
    deletion = pod["metadata"].get("deletionGracePeriodSeconds")
    if pod["metadata"].get("deletionTimestamp") and deletion is not None:
        return max(int(deletion), 1)
    spec = pod["spec"].get("terminationGracePeriodSeconds")
    return 30 if spec is None else max(int(spec), 1)


def is_terminal(status: Object) -> bool:
    return status.get("phase") in ("Succeeded", "Failed")


def container_hash(container: Object) -> str:
    """Changes when the container must be made anew: its name or image changed. FNV-1a, 32 bit, hexadecimal."""
    value = 0x811C9DC5
    for byte in orjson.dumps({"name": container["name"], "image": container.get("image", "")}):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{value:x}"


def qos_class(pod: Object) -> str:
    """Guaranteed, Burstable or BestEffort."""
    return pods.qos_class(pod["spec"])
