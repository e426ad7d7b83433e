"""What a Deployment's ReplicaSets are to it: which is new, which are old, what they count, how they are annotated.

Pure. Source: pkg/controller/deployment/util/deployment_util.go.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from kubepy.api.meta import Object
from kubepy.lib.clock import parse_rfc3339

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.rollbackTo",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MOST,
}
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of a hash in a name: no vowels, so no words. Source: apimachinery util/rand SafeEncodeString."""


def template_hash(template: Object, collisions: int) -> str:
    """A short name for a pod template; another one for each value of `collisions`."""
    text = orjson.dumps(template, option=orjson.OPT_SORT_KEYS) + (str(collisions).encode() if collisions else b"")
    number = int.from_bytes(hashlib.blake2s(text, digest_size=5).digest(), "big")
    name = ""
    for _ in range(10):
        number, rest = divmod(number, len(_SAFE))
        name += _SAFE[rest]
    return name


def _bare(template: Object) -> Object:
    """The template less the label that tells ReplicaSets apart, and less what is empty."""
    meta = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH_LABEL}
    meta["labels"] = labels
    meta.pop("creationTimestamp", None)
    return {**template, "metadata": {k: v for k, v in meta.items() if v}}


def same_template(one: Object, other: Object) -> bool:
    """The templates make the same pods."""
    return _bare(one) == _bare(other)


def by_age(rs: Object) -> tuple[Any, str]:
    """Sorts sets from the oldest to the newest, the same way each time."""
    return parse_rfc3339(rs["metadata"]["creationTimestamp"]), rs["metadata"]["name"]


def find_new(deployment: Object, sets: Iterable[Object]) -> Object | None:
    """The oldest set that makes the pods wanted now: where two do, the oldest is the one to keep."""
    template = deployment["spec"]["template"]
    for rs in sorted(sets, key=by_age):
        if same_template(rs["spec"]["template"], template):
            return rs
    return None


def oldest_first(sets: Iterable[Object]) -> list[Object]:
    return sorted(sets, key=by_age)


def replicas(rs: Object) -> int:
    """Pods that the set is asked for."""
    return int(rs["spec"].get("replicas", 1))


def count(rs: Object, name: str) -> int:
    """A count of the set's status, 0 where it says nothing."""
    return int((rs.get("status") or {}).get(name, 0))


def total(sets: Iterable[Object]) -> int:
    """Pods that the sets are asked for, together."""
    return sum(map(replicas, sets))


def total_of(sets: Iterable[Object], name: str) -> int:
    """A count of their status, summed up."""
    return sum(count(rs, name) for rs in sets)


def annotations(obj: Object) -> dict[str, str]:
    return dict(obj["metadata"].get("annotations") or {})


def revision(obj: Object) -> int:
    """The rollout that the set belongs to; 0 where it is not told."""
    try:
        return int(annotations(obj).get(REVISION, "0"))
    except ValueError:
        return 0


def next_revision(old: Sequence[Object]) -> int:
    """The number of the rollout that follows those."""
    return max(map(revision, old), default=0) + 1


def annotations_for(deployment: Object, rs: Object | None, number: int) -> dict[str, str]:
    """The annotations of the new set: the Deployment's own, and which revision it is and was."""
    wanted = annotations(rs) if rs else {}
    wanted.update({k: v for k, v in annotations(deployment).items() if k not in _NOT_COPIED})
    before = wanted.get(REVISION)
    if before is None or revision({"metadata": {"annotations": wanted}}) < number:
        wanted[REVISION] = str(number)
        if before is not None:
            history = [h for h in wanted.get(REVISION_HISTORY, "").split(",") if h]
            wanted[REVISION_HISTORY] = ",".join([*history, before])
    return wanted


def size_annotations(desired: int, surge: int) -> dict[str, str]:
    """What a set remembers of the Deployment's size, so that a later scaling can be shared out fairly."""
    return {DESIRED: str(desired), MOST: str(desired + surge)}
