"""A new node is not ready, and says so by a taint until it is.

Source: plugin/pkg/admission/nodetaint.
"""

from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import CREATE, Plugin

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Plugin):
    """See the module's docstring."""

    name = "TaintNodesByCondition"
    operations = frozenset((CREATE,))
    targets = frozenset((("", "nodes"),))

    async def admit(self, attributes: Attributes) -> None:
        """Adds the taint."""
        node = attributes.new
        spec = node.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any((taint.get("key"), taint.get("effect")) == tuple(NOT_READY.values()) for taint in taints):
            spec["taints"] = [*taints, dict(NOT_READY)]
