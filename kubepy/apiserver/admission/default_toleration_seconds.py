"""Pods stay five minutes on a node that is not ready or unreachable, unless they say otherwise.

Source: plugin/pkg/admission/defaulttolerationseconds.
"""

from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import PODS, Plugin
from kubepy.apiserver.lookup import Object

_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Plugin):
    """See the module's docstring. Seconds per taint key of _KEYS."""

    name = "DefaultTolerationSeconds"
    targets = frozenset((PODS,))

    def __init__(self, not_ready_s: int = 300, unreachable_s: int = 300) -> None:
        self._seconds = (not_ready_s, unreachable_s)

    async def admit(self, attributes: Attributes) -> None:
        """Adds the tolerations that are missing."""
        spec = attributes.new["spec"]
        for key, seconds in zip(_KEYS, self._seconds, strict=True):
            if not any(is_tolerated(toleration, key) for toleration in spec.get("tolerations") or ()):
                added = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
                spec["tolerations"] = [*(spec.get("tolerations") or ()), added]


def is_tolerated(toleration: Object, key: str) -> bool:
    """Whether a toleration says something about the NoExecute taint `key`."""
    return toleration.get("key") in (None, "", key) and toleration.get("effect") in (None, "", "NoExecute")
