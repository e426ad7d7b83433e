"""Spreads a pod's kind evenly over zones, nodes or any other topology.

A node is out where a pod more would make its domain exceed the emptiest by more than maxSkew; among the rest,
emptier domains are better. Pods without constraints of their own are spread softly with their Service or owner.
Source: pkg/scheduler/framework/plugins/podtopologyspread.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from kubepy.api.selectors import Selector
from kubepy.scheduler.framework import MOST, Filtered
from kubepy.scheduler.interning import ABSENT, Bools, Floats, Ints
from kubepy.scheduler.plugins.nodes import untolerated, wanted_nodes
from kubepy.scheduler.podinfo import PodInfo, SpreadConstraint
from kubepy.scheduler.snapshot import Snapshot, domain_sums

_HOSTNAME = "kubernetes.io/hostname"
_ZONE = "topology.kubernetes.io/zone"


class PodTopologySpread:
    """Topology spread constraints; `default_selector` tells which pods are of one kind with a pod, or None."""

    name = "PodTopologySpread"

    def __init__(self, default_selector: Callable[[PodInfo], Selector | None] = lambda _: None) -> None:
        self._default_selector = default_selector

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        required = [constraint for constraint in pod.spread if constraint.required]
        if not required:
            return None
        labelled, within = np.ones(snapshot.rows, bool), np.ones(snapshot.rows, bool)
        for constraint in required:
            values = snapshot.label(constraint.topology_key)
            labelled &= values != ABSENT
        for constraint in required:
            within &= self._within_skew(snapshot, pod, constraint, labelled)

        def reason(row: int) -> Sequence[str]:
            base = "node(s) didn't match pod topology spread constraints"
            return [base if labelled[row] else f"{base} (missing required label)"]

        return Filtered(labelled & within, reason=reason)

    def _within_skew(self, snapshot: Snapshot, pod: PodInfo, constraint: SpreadConstraint, labelled: Bools) -> Bools:
        values = snapshot.label(constraint.topology_key)
        counting = _counting_nodes(snapshot, pod, constraint) & labelled
        sums = domain_sums(values, _matching(snapshot, pod, constraint.selector) * counting)
        domains = np.unique(values[counting])
        least = sums[counting].min(initial=math.inf)
        if len(domains) < constraint.min_domains or not math.isfinite(least):
            least = 0.0
        itself = 1 if constraint.selector.matches(pod.labels) else 0
        within: Bools = sums + itself - least <= constraint.max_skew
        return within

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        constraints = [constraint for constraint in pod.spread if not constraint.required]
        if not pod.spread:
            constraints = self._defaults(pod)
        if not constraints:
            return None
        requires_all = bool(pod.spread)
        scored = possible.copy()
        if requires_all:
            for constraint in constraints:
                scored &= snapshot.label(constraint.topology_key) != ABSENT
        raw = np.zeros(snapshot.rows)
        for constraint in constraints:
            raw += self._crowding(snapshot, pod, constraint, scored)
        return _invert(raw, scored)

    def _crowding(self, snapshot: Snapshot, pod: PodInfo, constraint: SpreadConstraint, scored: Bools) -> Floats:
        values = snapshot.label(constraint.topology_key)
        counting = _counting_nodes(snapshot, pod, constraint)
        matching = _matching(snapshot, pod, constraint.selector)
        if constraint.topology_key == _HOSTNAME:
            sums, domains = matching.astype(float), int(scored.sum())
        else:
            sums = domain_sums(values, matching * counting)
            domains = len(np.unique(values[scored & (values != ABSENT)]))
        weight = math.log(domains + 2)
        crowding: Floats = np.where(values != ABSENT, sums * weight + (constraint.max_skew - 1), 0.0)
        return crowding

    def _defaults(self, pod: PodInfo) -> list[SpreadConstraint]:
        selector = self._default_selector(pod)
        if selector is None or selector.is_everything:
            return []
        return [
            SpreadConstraint(3, _HOSTNAME, False, selector, 1, honors_affinity=True, honors_taints=False),
            SpreadConstraint(5, _ZONE, False, selector, 1, honors_affinity=True, honors_taints=False),
        ]


def _invert(raw: Floats, scored: Bools) -> Floats:
    """The emptiest gets MOST, the fullest in proportion less; nodes that are not scored get nothing."""
    if not scored.any():
        return np.zeros(len(raw))
    least, most = raw[scored].min(), raw[scored].max()
    if most == 0:
        return np.where(scored, MOST, 0.0)
    return np.where(scored, np.floor(MOST * (most + least - raw) / most), 0.0)


def _matching(snapshot: Snapshot, pod: PodInfo, selector: Selector) -> Ints:
    return snapshot.count((frozenset({pod.namespace}), None, selector, False))


def _counting_nodes(snapshot: Snapshot, pod: PodInfo, constraint: SpreadConstraint) -> Bools:
    """Nodes whose pods and domains count: by default those that the pod's node affinity allows."""
    counting = snapshot.alive.copy()
    if constraint.honors_affinity and (wanted := wanted_nodes(snapshot, pod)) is not None:
        counting &= wanted
    if constraint.honors_taints and (bad := untolerated(snapshot, pod, ("NoSchedule", "NoExecute"))):
        counting &= ~snapshot.tainted[:, bad].any(axis=1)
    return counting
