"""A pod's claims must be bound, and their volumes reachable from the node.

Source: pkg/scheduler/framework/plugins/{volumebinding,volumezone}.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kubepy.api.meta import Object
from kubepy.scheduler.framework import Filtered
from kubepy.scheduler.node_selection import select_terms
from kubepy.scheduler.podinfo import PodInfo
from kubepy.scheduler.snapshot import Snapshot

Find = Callable[[str], Object | None]
"""An object by `namespace/name` or `name`, from a cache."""


class VolumeBinding:
    """Bound claims keep a pod to the nodes of their volumes; a claim that is not bound keeps it waiting."""

    name = "VolumeBinding"

    def __init__(self, find_claim: Find, find_volume: Find) -> None:
        self._find_claim = find_claim
        self._find_volume = find_volume

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        names = list(claim_names(pod.pod))
        if not names:
            return None
        possible = np.ones(snapshot.rows, bool)
        for name in names:
            claim = self._find_claim(f"{pod.namespace}/{name}")
            if claim is None:
                return _nowhere(snapshot, f'persistentvolumeclaim "{name}" not found')
            if claim["metadata"].get("deletionTimestamp"):
                return _nowhere(snapshot, f'persistentvolumeclaim "{name}" is being deleted')
            bound_to = claim["spec"].get("volumeName")
            if not bound_to or (claim.get("status") or {}).get("phase") != "Bound":
                return _nowhere(snapshot, "pod has unbound immediate PersistentVolumeClaims")
            volume = self._find_volume(bound_to)
            if volume is None:
                return _nowhere(snapshot, f'persistentvolume "{bound_to}" not found')
            required = (volume["spec"].get("nodeAffinity") or {}).get("required")
            if required:
                possible &= select_terms(snapshot, required.get("nodeSelectorTerms") or ())
        return Filtered(possible, "node(s) had volume node affinity conflict")


def claim_names(pod: Object) -> Iterable[str]:
    """The claims that the pod's volumes name; a generic ephemeral volume's claim is named after both."""
    for volume in pod["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            yield claim["claimName"]
        elif "ephemeral" in volume:
            yield f"{pod['metadata']['name']}-{volume['name']}"


def _nowhere(snapshot: Snapshot, text: str) -> Filtered:
    def reason(row: int) -> Sequence[str]:
        return [text]

    return Filtered(np.zeros(snapshot.rows, bool), text, reason)
