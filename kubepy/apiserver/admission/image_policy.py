"""Another server says which images may run: it gets an ImageReview for each new pod, its answers are kept for a while.

Source: plugin/pkg/admission/imagepolicy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import PODS, Plugin
from kubepy.apiserver.lookup import Object
from kubepy.apiserver.webhooks import patience
from kubepy.apiserver.webhooks.client import CallError, Webhooks
from kubepy.apiserver.webhooks.target import Target, from_kubeconfig
from kubepy.lib import kubeconfig, log
from kubepy.lib.expiring import Expiring

_API_VERSION = "imagepolicy.k8s.io/v1alpha1"
_ANNOTATIONS = ".image-policy.k8s.io/"
_AUDIT = "imagepolicywebhook.image-policy.k8s.io/"
_REMEMBERED = 1024
_OFF = -1
_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """`default_allow`: whether pods may run while the other server cannot be asked."""

    target: Target
    allow_ttl_s: float = 300.0
    deny_ttl_s: float = 300.0
    first_pause_s: float = 0.5
    default_allow: bool = False


class ImagePolicyWebhook(Plugin):
    """See the module's docstring."""

    name = "ImagePolicyWebhook"
    targets = frozenset((PODS,))
    subresources = frozenset(("", "ephemeralcontainers"))

    def __init__(self, policy: ImagePolicy, webhooks: Webhooks) -> None:
        self._policy, self._webhooks = policy, webhooks
        self._known: Expiring[bytes, Object] = Expiring(_REMEMBERED)

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        spec = review_spec(attributes.new, attributes.namespace, attributes.subresource)
        try:
            status = await self._status(spec)
        except CallError as fault:
            if not self._policy.default_allow:
                raise forbid(attributes, str(fault)) from fault
            _log.warning("pod admitted without a word on its images", why=str(fault))
            attributes.annotate(f"{_AUDIT}failed-open", "true")
            return
        for key, value in (status.get("auditAnnotations") or {}).items():
            attributes.annotate(f"{_AUDIT}{key}", str(value))
        if status.get("allowed") is not True:
            reason = status.get("reason")
            why = f"image policy webhook backend denied one or more images: {reason}"
            raise forbid(attributes, why if reason else "one or more images rejected by webhook backend")

    async def _status(self, spec: Object) -> Object:
        key = orjson.dumps(spec)
        status = self._known.get(key)
        if status is None:
            policy = self._policy
            review = {"kind": "ImageReview", "apiVersion": _API_VERSION, "metadata": {}, "spec": spec, "status": {}}
            answer = await patience.call(self._webhooks, policy.target, review, first_s=policy.first_pause_s)
            status = answer.get("status") or {}
            self._known.put(key, status, policy.allow_ttl_s if status.get("allowed") else policy.deny_ttl_s)
        return status


def review_spec(pod: Object, namespace: str, subresource: str) -> Object:
    """What is asked about: the images, in order, and the annotations that are meant for image policies."""
    fields = ("ephemeralContainers",) if subresource else ("containers", "initContainers")
    images = [{"image": one.get("image") or ""} for field in fields for one in pod["spec"].get(field) or ()]
    annotations = pod["metadata"].get("annotations") or {}
    meant = {key: value for key, value in annotations.items() if _ANNOTATIONS in key}
    spec: Object = {"containers": images, "annotations": meant, "namespace": namespace}
    return {key: value for key, value in spec.items() if value}


def parse_image_policy(document: Mapping[str, Any]) -> ImagePolicy:
    """The policy of the plug-in's configuration. Raises ValueError, OSError."""
    told = document.get("imagePolicy")
    if not isinstance(told, dict) or not told.get("kubeConfigFile"):
        raise ValueError("imagePolicy.kubeConfigFile is required")
    policy = ImagePolicy(
        target=from_kubeconfig(kubeconfig.load(told["kubeConfigFile"])), default_allow=told.get("defaultAllow") is True
    )
    return replace(
        policy,
        allow_ttl_s=_seconds("allowTTL", told, policy.allow_ttl_s, 1, 1800, unit_s=1),
        deny_ttl_s=_seconds("denyTTL", told, policy.deny_ttl_s, 1, 1800, unit_s=1),
        first_pause_s=_seconds("retryBackoff", told, policy.first_pause_s, 0.001, 300, unit_s=0.001),
    )


def _seconds(
    name: str, told: Mapping[str, Any], default_s: float, least_s: float, most_s: float, *, unit_s: float
) -> float:
    value = told.get(name) or 0
    if not isinstance(value, int):
        raise ValueError(f"{name} is no number")
    if value == _OFF:
        return 0.0
    found = value * unit_s
    if value and not least_s <= found <= most_s:
        raise ValueError(f"valid value for {name} is between {least_s:g}s and {most_s:g}s, got {found:g}s")
    return found or default_s
