"""Which pods use a claim, and what is told of one that none uses. Pure.

There are two answers. A claim may not *go* while a pod object that is on a node names it, even one that has run to its
end: its volume may still be mounted. A claim is *in use* while a pod that has not ended names it, on a node or not.
Source: pkg/controller/volume/pvcprotection, podUsesPVCForDeletion and podUsesPVCForUnusedSince; pkg/volume/util,
IsPodTerminated; component-helpers/storage/ephemeral.
"""

from collections.abc import Iterator

from kubepy.api.meta import Object, condition_of, is_controlled_by, is_deleting, name_of, namespace_of
from kubepy.api.pod_references import claim_names
from kubepy.api.pods import is_terminal, node_name

UNUSED = "Unused"
_REASONS = {
    True: ("NoPodsUsingPVC", "No pods are currently referencing this PVC"),
    False: ("PodUsingPVC", "A pod is currently referencing this PVC"),
}
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def claims_of(pod: Object) -> list[str]:
    """The keys of the claims that the pod's volumes name, those made for the pod among them."""
    return [f"{namespace_of(pod)}/{name}" for name in claim_names(pod)]


def _claim_names(pod: Object) -> Iterator[tuple[str, bool]]:
    """Each claim's name, and whether it is one that is made for the pod."""
    for volume in pod["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            yield claim["claimName"], False
        elif volume.get("ephemeral"):
            yield f"{name_of(pod)}-{volume['name']}", True


def needs_for_good(pod: Object, claim: Object) -> bool:
    """Whether the claim may not go because of the pod.

    A pod that is not on a node does not count: no kubelet starts one whose claim is being deleted. One that the
    kubelet is done with lets the claims go that were made for it, or the two might wait for each other.
    """
    if not node_name(pod):
        return False
    over = is_shut_down(pod)
    return any(_is_it(pod, claim, name, own) and not (own and over) for name, own in _claim_names(pod))


def uses(pod: Object, claim: Object) -> bool:
    """Whether the pod has not ended and names the claim."""
    return not is_terminated(pod) and any(_is_it(pod, claim, name, own) for name, own in _claim_names(pod))


def _is_it(pod: Object, claim: Object, name: str, own: bool) -> bool:
    return name == name_of(claim) and (not own or is_controlled_by(claim, pod))


def is_shut_down(pod: Object) -> bool:
    """Whether the kubelet is done with the pod, or it was deleted by force."""
    return is_deleting(pod) and pod["metadata"].get("deletionGracePeriodSeconds") == 0


def is_terminated(pod: Object) -> bool:
    """Whether the pod has ended, or is being deleted and none of its containers runs."""
    return is_terminal(pod) or (is_deleting(pod) and not _is_running(pod.get("status") or {}))


def _is_running(status: Object) -> bool:
    states = (found.get("state") or {} for kind in _STATUSES for found in status.get(kind) or ())
    return any(not state.get("terminated") and not state.get("waiting") for state in states)


def weight_of(pod: Object) -> tuple[bool, bool, bool]:
    """What decides whether the pod counts; its volumes never change."""
    return bool(node_name(pod)), is_shut_down(pod), is_terminated(pod)


def tells_use(claim: Object) -> bool:
    """Whether the claim's status tells if it is in use; until it is bound, the binder alone writes there."""
    return not is_deleting(claim) and (claim.get("status") or {}).get("phase") == "Bound"


def plan_unused(claim: Object, *, used: bool, now: str) -> Object | None:
    """The claim with its condition, or None where it says so already: its time is that of the change."""
    found = condition_of(claim, UNUSED) or {}
    status = str(not used)
    if found.get("status") == status:
        return None
    reason, message = _REASONS[not used]
    condition = {"type": UNUSED, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
    told = claim["status"].get("conditions") or []
    others = [one for one in told if one.get("type") != UNUSED]
    return {**claim, "status": {**claim["status"], "conditions": [*others, condition]}}
