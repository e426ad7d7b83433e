"""Where pods may go: no anti-affinity but between nodes, and the tolerations of special nodes for who needs them.

Source: plugin/pkg/admission/{antiaffinity,extendedresourcetoleration,podtopologylabels}.
"""

from collections.abc import Mapping

from kubepy.api import resources
from kubepy.api.validation.resources import is_extended
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, PODS, Plugin
from kubepy.apiserver.lookup import Lookup

_HOSTNAME = "kubernetes.io/hostname"
_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
_NODES = resources.named("nodes")


class LimitPodHardAntiAffinityTopology(Plugin):
    """Refuses required anti-affinity over more than a node: one pod could keep all others out of a zone."""

    name = "LimitPodHardAntiAffinityTopology"
    targets = frozenset((PODS,))

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        anti = (attributes.new["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
        for term in anti.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
            if (key := term.get("topologyKey") or "") != _HOSTNAME:
                raise forbid(
                    attributes,
                    f"affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {_HOSTNAME} "
                    "is allowed",
                )


class ExtendedResourceToleration(Plugin):
    """Lets pods that ask for an extended resource onto the nodes that are tainted with its name."""

    name = "ExtendedResourceToleration"
    targets = frozenset((PODS,))

    async def admit(self, attributes: Attributes) -> None:
        """Adds the tolerations that are missing."""
        spec = attributes.new["spec"]
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        wanted = {name for one in containers for name in (one.get("resources") or {}).get("requests") or ()}
        for name in sorted(filter(is_extended, wanted)):
            toleration = {"key": name, "operator": "Exists", "effect": "NoSchedule"}
            present = spec.get("tolerations") or []
            if not any(_is_same(one, toleration) for one in present):
                spec["tolerations"] = [*present, toleration]


def _is_same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    return all((one.get(field) or "") == (other.get(field) or "") for field in ("key", "operator", "value", "effect"))


class PodTopologyLabels(Plugin):
    """Tells pods in which zone and region they are, by the labels of their node."""

    name = "PodTopologyLabels"
    operations = frozenset((CREATE,))
    targets = frozenset((PODS,))
    subresources = frozenset(("", "binding"))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attributes: Attributes) -> None:
        """Labels a binding, whose labels the pod gets, or a pod that names its node itself."""
        found = attributes.new
        if attributes.subresource:
            target = found.get("target") or {}
            node = target.get("name") if target.get("kind") == "Node" else None
        else:
            node = (found.get("spec") or {}).get("nodeName")
        if not node:
            return
        known = self._lookup.get(_NODES, node)
        labels = (known["metadata"].get("labels") or {}) if known else {}
        copied = {key: labels[key] for key in _TOPOLOGY if key in labels}
        if copied:
            metadata = found.setdefault("metadata", {})
            metadata["labels"] = copied | (metadata.get("labels") or {})
