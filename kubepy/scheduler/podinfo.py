"""What the scheduler needs to know of a pod, read off its object once.

Amounts are integers: milli-CPU, bytes, counts. Source: pkg/scheduler/framework/types.go (PodInfo).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubepy.api.meta import Object, key_of
from kubepy.api.pods import pod_requests
from kubepy.api.selectors import NOTHING, Selector, from_label_selector

_DEFAULT_MILLI_CPU = 100
_DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container without requests counts as when nodes are compared, so that such pods spread too."""


@dataclass(frozen=True, slots=True)
class AffinityTerm:
    """Pods that a pod wants near (or far): those that `selector` selects in `namespaces`, by `topology_key`.

    `namespace_selector` adds namespaces by their labels; None adds none.
    """

    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector | None
    topology_key: str


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """How evenly a pod's kind is to be spread over `topology_key`."""

    max_skew: int
    topology_key: str
    required: bool
    selector: Selector
    min_domains: int
    honors_affinity: bool
    honors_taints: bool


@dataclass(slots=True)
class PodInfo:
    """A pod, ready to be placed or counted."""

    pod: Object
    key: str
    uid: str
    namespace: str
    labels: Mapping[str, str]
    node: str
    priority: int
    requests: dict[str, int]
    counted: tuple[int, int]
    """Milli-CPU and bytes of memory for comparing nodes: never zero."""
    host_ports: tuple[tuple[str, str, int], ...]
    """(address, protocol, port); 0.0.0.0 is every address."""
    required_affinity: Sequence[AffinityTerm] = ()
    required_anti_affinity: Sequence[AffinityTerm] = ()
    preferred: Sequence[tuple[int, AffinityTerm]] = ()
    """Weighted terms; anti-affinity has a negative weight."""
    spread: Sequence[SpreadConstraint] = ()

    @property
    def spec(self) -> Object:
        spec: Object = self.pod["spec"]
        return spec


def read_pod(pod: Object) -> PodInfo:
    """The information of a pod; its labels and selectors are kept by reference."""
    spec, meta = pod["spec"], pod["metadata"]
    namespace, labels = meta["namespace"], meta.get("labels") or {}
    affinity = spec.get("affinity") or {}
    near, far = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    return PodInfo(
        pod=pod,
        key=key_of(pod),
        uid=meta["uid"],
        namespace=namespace,
        labels=labels,
        node=spec.get("nodeName", ""),
        priority=spec.get("priority") or 0,
        requests=requests_of(pod),
        counted=_counted(spec),
        host_ports=tuple(_host_ports(spec)),
        required_affinity=[_term(term, namespace) for term in near.get(required) or ()],
        required_anti_affinity=[_term(term, namespace) for term in far.get(required) or ()],
        preferred=[
            (sign * entry["weight"], _term(entry["podAffinityTerm"], namespace))
            for sign, terms in ((1, near.get(preferred)), (-1, far.get(preferred)))
            for entry in terms or ()
        ],
        spread=[_constraint(entry) for entry in spec.get("topologySpreadConstraints") or ()],
    )


def requests_of(pod: Object) -> dict[str, int]:
    """What a node must have free, in the scheduler's units."""
    return {name: in_units(name, amount) for name, amount in pod_requests(pod, use_status=True).items() if amount}


def in_units(name: str, amount: Any) -> int:
    """An amount as the scheduler counts it: milli-CPU for cpu, whole units for the rest, rounded up."""
    return math.ceil(amount * 1000) if name == "cpu" else math.ceil(amount)


def _counted(spec: Object) -> tuple[int, int]:
    cpu, memory = 0, 0
    for container in spec.get("containers") or ():
        single = pod_requests({"spec": {"containers": [container]}})
        cpu += in_units("cpu", single["cpu"]) if "cpu" in single else _DEFAULT_MILLI_CPU
        memory += in_units("memory", single["memory"]) if "memory" in single else _DEFAULT_MEMORY
    return cpu, memory


def _host_ports(spec: Object) -> Sequence[tuple[str, str, int]]:
    found = []
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        for port in container.get("ports") or ():
            if number := port.get("hostPort"):
                found.append((port.get("hostIP") or "0.0.0.0", port.get("protocol", "TCP"), number))
    return found


def _term(term: Object, namespace: str) -> AffinityTerm:
    by_labels = term.get("namespaceSelector")
    named = frozenset(term.get("namespaces") or ())
    return AffinityTerm(
        selector=_selector(term),
        namespaces=named or (frozenset() if by_labels is not None else frozenset({namespace})),
        namespace_selector=from_label_selector(by_labels) if by_labels is not None else None,
        topology_key=term["topologyKey"],
    )


def _selector(term: Object) -> Selector:
    """The term's selector, in which the API server wrote the pod's values of `matchLabelKeys` and their opposite."""
    selector = term.get("labelSelector")
    return NOTHING if selector is None else from_label_selector(selector)


def _constraint(entry: Object) -> SpreadConstraint:
    return SpreadConstraint(
        max_skew=entry["maxSkew"],
        topology_key=entry["topologyKey"],
        required=entry["whenUnsatisfiable"] == "DoNotSchedule",
        selector=_selector(entry),
        min_domains=entry.get("minDomains") or 1,
        honors_affinity=entry.get("nodeAffinityPolicy", "Honor") == "Honor",
        honors_taints=entry.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )
