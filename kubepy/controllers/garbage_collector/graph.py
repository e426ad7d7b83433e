"""Who depends on whom, and what is to be done about an object: pure, fed by events.

Invariant: an edge exists for every owner reference of every live object; an owner that only references know of is
virtual, and nothing is deleted on its account before the server has said that it does not exist.
Source: pkg/controller/garbagecollector/graph.go, graph_builder.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubepy.api.meta import Object, is_deleting
from kubepy.api.resources import Resource

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(slots=True, eq=False)
class Node:
    """An object of the graph; `resource` is None while only references tell of it."""

    uid: str
    api_version: str
    kind: str
    namespace: str
    name: str
    resource: Resource | None = None
    owners: list[Object] = field(default_factory=list)
    dependents: dict[str, "Node"] = field(default_factory=dict)
    deleting: bool = False
    finalizers: tuple[str, ...] = ()

    @property
    def virtual(self) -> bool:
        """Nothing but references has told of it yet."""
        return self.resource is None

    @property
    def deletes_dependents(self) -> bool:
        """It is being deleted in the foreground: it waits for what depends on it."""
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        """It is being deleted, and what depends on it is to be let go first."""
        return self.deleting and ORPHAN in self.finalizers

    def blocking(self) -> list["Node"]:
        """Dependents whose reference holds up the owner's deletion."""
        return [
            dependent
            for dependent in self.dependents.values()
            if any(ref["uid"] == self.uid and ref.get("blockOwnerDeletion") for ref in dependent.owners)
        ]


@dataclass(slots=True)
class Work:
    """What a change asks to be looked at."""

    judge: list[Node] = field(default_factory=list)
    """May have to be deleted, or finished."""
    orphan: list[Node] = field(default_factory=list)
    """Their dependents are to be let go."""


class Graph:
    """All objects that own or are owned, by uid."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def get(self, uid: str) -> Node | None:
        return self._nodes.get(uid)

    def __len__(self) -> int:
        return len(self._nodes)

    def doubtful(self) -> list[Node]:
        """The dependents of owners that only references tell of."""
        return [dependent for node in self._nodes.values() if node.virtual for dependent in node.dependents.values()]

    def observe(self, resource: Resource, obj: Object) -> Work:
        """Takes in an object as it is now."""
        meta = obj["metadata"]
        node = self._nodes.get(meta["uid"])
        if node is None:
            node = Node(meta["uid"], resource.api_version, resource.kind, meta.get("namespace", ""), meta["name"])
            self._nodes[node.uid] = node
        node.resource = resource
        node.api_version, node.kind = resource.api_version, resource.kind
        node.namespace, node.name = meta.get("namespace", ""), meta["name"]
        node.deleting = is_deleting(obj)
        node.finalizers = tuple(meta.get("finalizers") or ())
        work = Work()
        self._link(node, meta.get("ownerReferences") or [], work)
        if node.orphans_dependents:
            work.orphan.append(node)
        if node.deletes_dependents:
            work.judge.extend(node.dependents.values())
            work.judge.append(node)
        return work

    def forget(self, uid: str) -> Work:
        """Takes in that an object exists no more."""
        node = self._nodes.pop(uid, None)
        work = Work()
        if node is None:
            return work
        self._unlink(node, node.owners, work)
        work.judge.extend(node.dependents.values())
        return work

    def _link(self, node: Node, owners: list[Object], work: Work) -> None:
        before = {ref["uid"] for ref in node.owners}
        after = {ref["uid"] for ref in owners}
        removed = [ref for ref in node.owners if ref["uid"] not in after]
        freed = [
            ref
            for ref in node.owners
            if ref.get("blockOwnerDeletion")
            and any(new["uid"] == ref["uid"] and not new.get("blockOwnerDeletion") for new in owners)
        ]
        node.owners = owners
        self._unlink(node, removed, work)
        for ref in freed:
            if (owner := self._nodes.get(ref["uid"])) and owner.deletes_dependents:
                work.judge.append(owner)
        for ref in owners:
            owner = self._nodes.get(ref["uid"])
            if owner is None:
                owner = Node(ref["uid"], ref["apiVersion"], ref["kind"], node.namespace, ref["name"])
                self._nodes[owner.uid] = owner
            owner.dependents[node.uid] = node
            if ref["uid"] not in before and (owner.virtual or owner.deleting):
                work.judge.append(node)

    def _unlink(self, node: Node, owners: Iterable[Object], work: Work) -> None:
        for ref in owners:
            owner = self._nodes.get(ref["uid"])
            if owner is None:
                continue
            owner.dependents.pop(node.uid, None)
            if owner.deletes_dependents:
                work.judge.append(owner)
            if owner.virtual and not owner.dependents:
                del self._nodes[owner.uid]


@dataclass(frozen=True, slots=True)
class Owners:
    """The owner references of an object, by what is known of the owner."""

    solid: list[Object]
    dangling: list[Object]
    waiting: list[Object]
    """Owners that are being deleted in the foreground."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about an object: delete it with this policy, drop owner references, or (neither) nothing."""

    delete: str | None = None
    drop: tuple[str, ...] = ()
    unblock: bool = False
    """Also take `blockOwnerDeletion` off its own references first: a cycle would never end."""


def judge(node: Node, owners: Owners) -> Verdict:
    """Whether an object stays, by what is left of its owners."""
    if owners.solid:
        return Verdict(drop=tuple(ref["uid"] for ref in (*owners.dangling, *owners.waiting)))
    if not owners.dangling and not owners.waiting:
        return Verdict()
    if owners.waiting and node.dependents:
        in_cycle = any(dependent.deletes_dependents for dependent in node.dependents.values())
        return Verdict(delete="Foreground", unblock=in_cycle)
    if ORPHAN in node.finalizers:
        return Verdict(delete="Orphan")
    if FOREGROUND in node.finalizers:
        return Verdict(delete="Foreground")
    return Verdict(delete="Background")
