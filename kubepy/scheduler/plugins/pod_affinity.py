"""Places pods near those they want and away from those they do not; both ways round.

Required terms exclude nodes: the pod's own, and the anti-affinity of the pods that are there. Preferred terms of
either side score. Terms are few and shared by many pods, so each is evaluated once for all nodes.
Source: pkg/scheduler/framework/plugins/interpodaffinity.
"""

from collections.abc import Sequence

import numpy as np

from kubepy.scheduler.framework import MOST, Filtered
from kubepy.scheduler.interning import ABSENT, Bools, Floats, Ints
from kubepy.scheduler.podinfo import AffinityTerm, PodInfo
from kubepy.scheduler.snapshot import Snapshot, domain_sums

_HARD_WEIGHT = 1
"""What required affinity of a placed pod adds for those that it wants near; upstream's hardPodAffinityWeight."""


class InterPodAffinity:
    """Affinity and anti-affinity between pods."""

    name = "InterPodAffinity"

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        against = self._unwelcome(snapshot, pod)
        away = self._too_near(snapshot, pod)
        near = self._near(snapshot, pod)
        if against is None and away is None and near is None:
            return None
        checks: list[tuple[str, Bools]] = []
        if near is not None:
            checks.append(("node(s) didn't match pod affinity rules", near))
        if away is not None:
            checks.append(("node(s) didn't match pod anti-affinity rules", ~away))
        if against is not None:
            checks.append(("node(s) didn't satisfy existing pods anti-affinity rules", ~against))

        def reason(row: int) -> Sequence[str]:
            return next([text] for text, fine in checks if not fine[row])

        return Filtered(np.logical_and.reduce([fine for _, fine in checks]), reason=reason)

    def _unwelcome(self, snapshot: Snapshot, pod: PodInfo) -> Bools | None:
        """Nodes in a domain where a pod does not want this one."""
        found = None
        for term, holders in snapshot.anti_affinity_terms().items():
            if snapshot.selects(term, pod):
                here = _spread(snapshot, term, holders[: snapshot.rows]) > 0
                found = here if found is None else found | here
        return found

    def _too_near(self, snapshot: Snapshot, pod: PodInfo) -> Bools | None:
        """Nodes in a domain with a pod that this one wants to be away from."""
        found = None
        for term in pod.required_anti_affinity:
            here = _spread(snapshot, term, _count(snapshot, term)) > 0
            found = here if found is None else found | here
        return found

    def _near(self, snapshot: Snapshot, pod: PodInfo) -> Bools | None:
        """Nodes in a domain with the pods that this one wants, for each term.

        The first pod of a group that wants each other may go anywhere that has the topology.
        """
        if not pod.required_affinity:
            return None
        found, labelled, anyone = np.ones(snapshot.rows, bool), np.ones(snapshot.rows, bool), False
        for term in pod.required_affinity:
            counts = _count(snapshot, term)
            anyone = anyone or bool(counts.any())
            found &= _spread(snapshot, term, counts) > 0
            labelled &= snapshot.label(term.topology_key) != ABSENT
        if not anyone and all(snapshot.selects(term, pod) for term in pod.required_affinity):
            return labelled
        return found

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        raw, said = np.zeros(snapshot.rows), False
        for weight, term in pod.preferred:
            raw += weight * _spread(snapshot, term, _count(snapshot, term))
            said = True
        for (weight, term), holders in snapshot.weighted_terms().items():
            if snapshot.selects(term, pod):
                raw += weight * _spread(snapshot, term, holders[: snapshot.rows])
                said = True
        for term, holders in snapshot.affinity_terms().items():
            if snapshot.selects(term, pod):
                raw += _HARD_WEIGHT * _spread(snapshot, term, holders[: snapshot.rows])
                said = True
        if not said:
            return None
        least, most = raw[possible].min(), raw[possible].max()
        if most == least:
            return None
        return np.floor(MOST * (raw - least) / (most - least))


def _count(snapshot: Snapshot, term: AffinityTerm) -> Floats:
    counts: Floats = snapshot.count((term.namespaces, term.namespace_selector, term.selector, True)).astype(float)
    return counts


def _spread(snapshot: Snapshot, term: AffinityTerm, counts: Ints | Floats) -> Floats:
    """What a term's counts per node are in the node's whole domain."""
    return domain_sums(snapshot.label(term.topology_key), counts)
