"""The cluster as arrays: one row a node, kept up to date change by change.

Invariant: `requested`, `counted`, ports and pod counters are exactly the sums over the pods that were added and
not removed, bound and assumed alike. A row of a node that is gone is free, and given to the next new node.
Plugins read the arrays; only the methods here write them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kubepy.api import quantity
from kubepy.api.meta import Object
from kubepy.api.selectors import Selector
from kubepy.scheduler.interning import ABSENT, Bools, Floats, Interner, Ints
from kubepy.scheduler.podinfo import AffinityTerm, PodInfo, in_units

_FIRST_ROWS = 64
_MOST_COUNTERS = 512

Scope = tuple[frozenset[str], Selector | None, Selector, bool]
"""What a counter counts: namespaces, namespaces by label, the pods in them, and whether those being deleted count."""


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint that keeps pods away, or would rather."""

    key: str
    value: str
    effect: str


class Snapshot:
    """Nodes and what runs on them."""

    def __init__(self) -> None:
        self.rows = 0
        """Rows in use, free ones between them included; arrays may be longer."""
        self.generation = 0
        """Grows with every change of a node."""
        self.names: list[str] = []
        self._row_of: dict[str, int] = {}
        self._free: list[int] = []
        self._capacity = 0
        self.resources = Interner()
        self.taints: list[Taint] = []
        self._taint_numbers: dict[Taint, int] = {}
        self._labels: dict[str, Ints] = {}
        self._label_values: dict[str, Interner] = {}
        self._alive: Bools = np.zeros(0, bool)
        self._unschedulable: Bools = np.zeros(0, bool)
        self._allocatable: Ints = np.zeros((0, 4), np.int64)
        self._requested: Ints = np.zeros((0, 4), np.int64)
        self._counted: Ints = np.zeros((0, 2), np.int64)
        self._pod_count: Ints = np.zeros(0, np.int64)
        self._tainted: Bools = np.zeros((0, 4), bool)
        self._images: dict[str, Ints] = {}
        self._ports: dict[tuple[str, int], dict[str, Ints]] = {}
        self._pods: list[dict[str, PodInfo]] = []
        self._placed: dict[str, tuple[int, PodInfo]] = {}
        self._waiting_for_node: dict[str, dict[str, PodInfo]] = {}
        self._counters: dict[Scope, Ints] = {}
        self._anti_terms: dict[AffinityTerm, Ints] = {}
        self._near_terms: dict[AffinityTerm, Ints] = {}
        self._weighted_terms: dict[tuple[int, AffinityTerm], Ints] = {}
        self.namespace_labels: Callable[[str], Mapping[str, str]] = lambda _: {}
        self._grow(_FIRST_ROWS)
        self.cpu, self.memory = self._column("cpu"), self._column("memory")

    # -- reading ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def alive(self) -> Bools:
        return self._alive[: self.rows]

    @property
    def unschedulable(self) -> Bools:
        return self._unschedulable[: self.rows]

    @property
    def allocatable(self) -> Ints:
        """[node, resource]; columns by `resources`, less one."""
        return self._allocatable[: self.rows]

    @property
    def requested(self) -> Ints:
        """[node, resource]: the sums of what pods ask for."""
        return self._requested[: self.rows]

    @property
    def counted(self) -> Ints:
        """[node, 2]: milli-CPU and memory as nodes are compared by, with a default for pods that ask for nothing."""
        return self._counted[: self.rows]

    @property
    def pod_count(self) -> Ints:
        return self._pod_count[: self.rows]

    @property
    def tainted(self) -> Bools:
        """[node, taint]; columns as in `taints`."""
        return self._tainted[: self.rows, : len(self.taints)]

    def row(self, name: str) -> int | None:
        return self._row_of.get(name)

    def column(self, resource: str) -> int | None:
        """The column of a resource, or None where no node and no pod ever named it."""
        number = self.resources.find(resource)
        return None if number is None else number - 1

    def label(self, key: str) -> Ints:
        """The number of each node's value of a label; ABSENT where it has none."""
        column = self._labels.get(key)
        return np.zeros(self.rows, np.int64) if column is None else column[: self.rows]

    def label_values(self, key: str) -> Interner:
        return self._label_values.get(key) or Interner()

    def image_size(self, name: str) -> Ints:
        """Bytes of the image on each node; 0 where it is not there."""
        column = self._images.get(name)
        return np.zeros(self.rows, np.int64) if column is None else column[: self.rows]

    def ports_in_use(self, protocol: str, port: int) -> Mapping[str, Ints]:
        """By host address, how many pods of each node hold that port."""
        found = self._ports.get((protocol, port), {})
        return {address: column[: self.rows] for address, column in found.items()}

    def pods_on(self, name: str) -> Iterable[PodInfo]:
        row = self._row_of.get(name)
        return () if row is None else self._pods[row].values()

    def count(self, scope: Scope) -> Ints:
        """How many pods of each node `scope` selects; kept up to date from then on."""
        counter = self._counters.pop(scope, None)
        if counter is None:
            counter = np.zeros(self._capacity, np.int64)
            for row, info in self._placed.values():
                if self._in_scope(scope, info):
                    counter[row] += 1
            if len(self._counters) >= _MOST_COUNTERS:
                self._counters.pop(next(iter(self._counters)))
        self._counters[scope] = counter  # last used, last dropped
        return counter[: self.rows]

    def anti_affinity_terms(self) -> Mapping[AffinityTerm, Ints]:
        """Required anti-affinity of the pods that are placed: term to pods of each node that have it."""
        return self._anti_terms

    def affinity_terms(self) -> Mapping[AffinityTerm, Ints]:
        """Required affinity of placed pods: others score nodes near them."""
        return self._near_terms

    def weighted_terms(self) -> Mapping[tuple[int, AffinityTerm], Ints]:
        """Preferred terms of placed pods, with their weights."""
        return self._weighted_terms

    def selects(self, term: AffinityTerm, info: PodInfo) -> bool:
        """Whether the term is about the pod."""
        return self._in_scope((term.namespaces, term.namespace_selector, term.selector, True), info)

    def _in_scope(self, scope: Scope, info: PodInfo) -> bool:
        namespaces, by_labels, selector, with_deleted = scope
        if not with_deleted and "deletionTimestamp" in info.pod["metadata"]:
            return False
        if info.namespace not in namespaces and (
            by_labels is None or not by_labels.matches(self.namespace_labels(info.namespace))
        ):
            return False
        return selector.matches(info.labels)

    # -- nodes -----------------------------------------------------------------------------------------------------

    def set_node(self, node: Object) -> None:
        """Takes in a node as it is now."""
        name = node["metadata"]["name"]
        row = self._row_of.get(name)
        is_new = row is None
        if row is None:
            row = self._take_row(name)
        self._write_node(row, node)
        self.generation += 1
        if is_new:
            for info in self._waiting_for_node.pop(name, {}).values():
                self._place(row, info)

    def remove_node(self, name: str) -> None:
        """Takes in that a node is gone; its pods stay known, should it come back."""
        row = self._row_of.pop(name, None)
        if row is None:
            return
        orphans = dict(self._pods[row])
        for info in orphans.values():
            self._unplace(row, info)
        if orphans:
            self._waiting_for_node[name] = orphans
        self._clear_row(row)
        self._free.append(row)
        self.generation += 1

    def _take_row(self, name: str) -> int:
        if self._free:
            row = self._free.pop()
        else:
            row = self.rows
            if row == self._capacity:
                self._grow(self._capacity * 2)
            self.rows += 1
            self.names.append("")
            self._pods.append({})
        self.names[row] = name
        self._row_of[name] = row
        self._alive[row] = True
        return row

    def _clear_row(self, row: int) -> None:
        self._alive[row] = self._unschedulable[row] = False
        self._allocatable[row] = 0
        self._tainted[row] = False
        for column in (*self._labels.values(), *self._images.values()):
            column[row] = ABSENT
        self.names[row] = ""

    def _write_node(self, row: int, node: Object) -> None:
        spec, status = node.get("spec") or {}, node.get("status") or {}
        self._unschedulable[row] = bool(spec.get("unschedulable"))
        amounts = status.get("allocatable") or status.get("capacity") or {}
        self._allocatable[row] = 0
        for resource, amount in amounts.items():
            column = self._column(resource)
            self._allocatable[row, column] = in_units(resource, quantity.parse(amount))
        for values in (*self._labels.values(), *self._images.values()):
            values[row] = ABSENT
        for key, value in (node["metadata"].get("labels") or {}).items():
            labelled = self._label_column(key)
            labelled[row] = self._label_values[key].number(value)
        self._tainted[row] = False
        for taint in spec.get("taints") or ():
            number = self._taint_column(Taint(taint["key"], taint.get("value", ""), taint["effect"]))
            self._tainted[row, number] = True
        for image in status.get("images") or ():
            for name in image.get("names") or ():
                self._image_column(name)[row] = image.get("sizeBytes", 0)

    # -- pods ------------------------------------------------------------------------------------------------------

    def add_pod(self, info: PodInfo, node: str) -> None:
        """Counts a pod on a node, bound or assumed; one that was counted already is counted anew."""
        self.remove_pod(info.uid)
        row = self._row_of.get(node)
        if row is None:
            self._waiting_for_node.setdefault(node, {})[info.uid] = info
            return
        self._place(row, info)

    def remove_pod(self, uid: str) -> None:
        """Counts a pod no more."""
        placed = self._placed.get(uid)
        if placed is not None:
            self._unplace(*placed)
            return
        for node, waiting in list(self._waiting_for_node.items()):
            if waiting.pop(uid, None) is not None and not waiting:
                del self._waiting_for_node[node]

    def _place(self, row: int, info: PodInfo) -> None:
        self._pods[row][info.uid] = info
        self._placed[info.uid] = (row, info)
        self._tally(row, info, 1)

    def _unplace(self, row: int, info: PodInfo) -> None:
        del self._pods[row][info.uid]
        del self._placed[info.uid]
        self._tally(row, info, -1)

    def _tally(self, row: int, info: PodInfo, sign: int) -> None:
        for resource, amount in info.requests.items():
            column = self._column(resource)
            self._requested[row, column] += sign * amount
        self._counted[row, 0] += sign * info.counted[0]
        self._counted[row, 1] += sign * info.counted[1]
        self._pod_count[row] += sign
        for address, protocol, port in info.host_ports:
            by_address = self._ports.setdefault((protocol, port), {})
            if address not in by_address:
                by_address[address] = np.zeros(self._capacity, np.int64)
            by_address[address][row] += sign
        for scope, counter in self._counters.items():
            if self._in_scope(scope, info):
                counter[row] += sign
        for term in info.required_anti_affinity:
            self._tally_term(self._anti_terms, term, row, sign)
        for term in info.required_affinity:
            self._tally_term(self._near_terms, term, row, sign)
        for weighted in info.preferred:
            self._tally_term(self._weighted_terms, weighted, row, sign)

    def _tally_term(self, table: dict[Any, Ints], key: Any, row: int, sign: int) -> None:
        column = table.get(key)
        if column is None:
            column = table[key] = np.zeros(self._capacity, np.int64)
        column[row] += sign
        if sign < 0 and not column.any():
            del table[key]

    # -- growing ---------------------------------------------------------------------------------------------------

    def _grow(self, capacity: int) -> None:
        def longer(array: Any) -> Any:
            wider = np.zeros((capacity, *array.shape[1:]), array.dtype)
            wider[: len(array)] = array
            return wider

        self._capacity = capacity
        for name in ("_alive", "_unschedulable", "_allocatable", "_requested", "_counted", "_pod_count", "_tainted"):
            setattr(self, name, longer(getattr(self, name)))
        tables: tuple[dict[Any, Ints], ...] = (
            self._labels, self._images, self._counters, self._anti_terms, self._near_terms, self._weighted_terms,
            *self._ports.values(),
        )  # fmt: skip
        for table in tables:
            for key in table:
                table[key] = longer(table[key])

    def _column(self, resource: str) -> int:
        column = self.resources.number(resource) - 1
        while column >= self._allocatable.shape[1]:
            self._allocatable = _wider(self._allocatable)
            self._requested = _wider(self._requested)
        return column

    def _label_column(self, key: str) -> Ints:
        column = self._labels.get(key)
        if column is None:
            column = self._labels[key] = np.zeros(self._capacity, np.int64)
            self._label_values[key] = Interner()
        return column

    def _image_column(self, name: str) -> Ints:
        column = self._images.get(name)
        if column is None:
            column = self._images[name] = np.zeros(self._capacity, np.int64)
        return column

    def _taint_column(self, taint: Taint) -> int:
        number = self._taint_numbers.get(taint)
        if number is None:
            number = len(self.taints)
            self._taint_numbers[taint] = number
            self.taints.append(taint)
            if number >= self._tainted.shape[1]:
                self._tainted = _wider(self._tainted)
        return number


def _wider(array: Any) -> Any:
    return np.concatenate([array, np.zeros_like(array)], axis=1)


def domain_sums(values: Ints, counts: Ints | Floats) -> Floats:
    """The sum of `counts` over the nodes that share a node's value, for each node; 0 where it has no value."""
    sums: Any = np.bincount(values, weights=counts)
    sums[ABSENT] = 0
    per_node: Floats = sums[values]
    return per_node
