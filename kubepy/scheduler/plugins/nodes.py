"""Rules about the node alone: its name, whether it takes pods, its taints, labels and images.

Source: pkg/scheduler/framework/plugins/{nodename,nodeunschedulable,tainttoleration,nodeaffinity,imagelocality}.
"""

from collections.abc import Sequence

import numpy as np

from kubepy.api.meta import Object
from kubepy.api.taints import tolerates
from kubepy.scheduler.framework import MOST, Filtered, normalize
from kubepy.scheduler.interning import Bools, Floats
from kubepy.scheduler.node_selection import select_labels, select_term, select_terms
from kubepy.scheduler.podinfo import PodInfo
from kubepy.scheduler.snapshot import Snapshot, Taint

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class NodeName:
    """A pod that names its node goes there or nowhere."""

    name = "NodeName"

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        if not pod.node:
            return None
        possible = np.zeros(snapshot.rows, bool)
        if (row := snapshot.row(pod.node)) is not None:
            possible[row] = True
        return Filtered(possible, "node(s) didn't match the requested node name")


class NodeUnschedulable:
    """A cordoned node takes no pods but those that tolerate it."""

    name = "NodeUnschedulable"
    _taint = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        if not snapshot.unschedulable.any() or is_tolerated(self._taint, pod.spec.get("tolerations") or ()):
            return None
        return Filtered(~snapshot.unschedulable, "node(s) were unschedulable")


def is_tolerated(taint: Taint, tolerations: Sequence[Object]) -> bool:
    """Whether one of the tolerations covers the taint."""
    return any(tolerates(toleration, taint.key, taint.value, taint.effect) for toleration in tolerations)


class TaintToleration:
    """Nodes with taints that the pod does not tolerate are out; those that would rather not have it come last."""

    name = "TaintToleration"

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        bad = untolerated(snapshot, pod, ("NoSchedule", "NoExecute"))
        if not bad:
            return None
        tainted = snapshot.tainted[:, bad]

        def reason(row: int) -> Sequence[str]:
            taint = snapshot.taints[bad[int(np.argmax(tainted[row]))]]
            return [f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"]

        return Filtered(np.logical_not(tainted.any(axis=1)), reason=reason)

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        bad = untolerated(snapshot, pod, ("PreferNoSchedule",))
        if not bad:
            return None
        return normalize(snapshot.tainted[:, bad].sum(axis=1).astype(float), possible, reverse=True)


def untolerated(snapshot: Snapshot, pod: PodInfo, effects: Sequence[str]) -> list[int]:
    """Columns of the taints with one of `effects` that the pod does not tolerate."""
    tolerations = pod.spec.get("tolerations") or ()
    return [
        number
        for number, taint in enumerate(snapshot.taints)
        if taint.effect in effects and not is_tolerated(taint, tolerations)
    ]


def wanted_nodes(snapshot: Snapshot, pod: PodInfo) -> Bools | None:
    """Rows that the pod's node selector and required node affinity allow, or None: all."""
    labels = pod.spec.get("nodeSelector")
    terms = ((pod.spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    if not labels and not terms:
        return None
    selected = np.ones(snapshot.rows, bool)
    if labels:
        selected &= select_labels(snapshot, labels)
    if terms:
        selected &= select_terms(snapshot, terms.get("nodeSelectorTerms") or ())
    return selected


class NodeAffinity:
    """Node selectors, required and preferred."""

    name = "NodeAffinity"

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        selected = wanted_nodes(snapshot, pod)
        if selected is None:
            return None
        return Filtered(selected, "node(s) didn't match Pod's node affinity/selector")

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        preferred = ((pod.spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_PREFERRED)
        if not preferred:
            return None
        raw = np.zeros(snapshot.rows)
        for entry in preferred:
            term = entry["preference"]
            everyone = not term.get("matchExpressions") and not term.get("matchFields")
            raw += entry["weight"] * (1.0 if everyone else select_term(snapshot, term))
        return normalize(raw, possible)


class ImageLocality:
    """Nodes that have the pod's images need not fetch them; an image on few nodes draws less, against crowding."""

    name = "ImageLocality"
    _least, _most = 23 * 1024 * 1024, 1000 * 1024 * 1024

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        containers = [*(pod.spec.get("initContainers") or ()), *(pod.spec.get("containers") or ())]
        nodes = max(1, len(snapshot))
        total = np.zeros(snapshot.rows)
        for container in containers:
            sizes = snapshot.image_size(normalized_image(container.get("image", "")))
            total += sizes * (np.count_nonzero(sizes) / nodes)
        if not total.any():
            return None
        most = self._most * len(containers)
        clipped = np.clip(total, self._least, most)
        scored: Floats = MOST * (clipped - self._least) / (most - self._least)
        return scored


def normalized_image(name: str) -> str:
    """The name with a tag: `latest` where it has none."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
