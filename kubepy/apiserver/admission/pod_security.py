"""Pod Security: a namespace's labels say which standard its pods must meet, and of which it is only warned.

Pods that break the enforced standard are refused; what makes pods is only warned of, as upstream does.
Source: k8s.io/pod-security-admission/admission.
"""

from collections.abc import Mapping
from typing import NamedTuple

from kubepy.api import resources
from kubepy.api.errors import FieldError, invalid_object
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, PODS, UPDATE, Plugin
from kubepy.apiserver.admission.pod_security_checks import violations
from kubepy.apiserver.lookup import Lookup, Object

LEVELS = ("privileged", "baseline", "restricted")
MODES = ("enforce", "audit", "warn")
PREFIX = "pod-security.kubernetes.io/"
_NAMESPACES = resources.named("namespaces")
_TEMPLATE_PATHS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "podtemplates"): ("template",),
    ("", "replicationcontrollers"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
}


class Policy(NamedTuple):
    """A standard at a version, as the labels of a mode say."""

    level: str
    version: str

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


class PodSecurity(Plugin):
    """See the module's docstring."""

    name = "PodSecurity"
    operations = frozenset((CREATE, UPDATE))
    targets = frozenset((PODS, ("", "namespaces"), *_TEMPLATE_PATHS))
    subresources = frozenset(("", "ephemeralcontainers", "resize"))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden, or Invalid for labels that mean nothing."""
        resource = attributes.resource
        if resource is _NAMESPACES:
            _check_labels(attributes)
            return
        labels = self._labels(attributes.namespace)
        if not any(label.startswith(PREFIX) for label in labels):
            return
        if resource.plural == "pods":
            self._check_pod(attributes, labels)
            return
        path = _TEMPLATE_PATHS[resource.group, resource.plural]
        template = _dig(attributes.new, path)
        if template and (attributes.old_object is None or template != _dig(attributes.old, path)):
            _warn(attributes, template, labels)

    def _check_pod(self, attributes: Attributes, labels: Mapping[str, str]) -> None:
        pod = attributes.new
        if attributes.old_object is not None and not is_significant(pod, attributes.old_object):
            return
        policy = policy_of(labels, "enforce")
        if found := violations(pod, policy.level):
            raise forbid(attributes, f'violates PodSecurity "{policy}": {", ".join(found)}')
        _warn(attributes, pod, labels)

    def _labels(self, namespace: str) -> Mapping[str, str]:
        found = self._lookup.get(_NAMESPACES, namespace)
        return (found["metadata"].get("labels") or {}) if found else {}


def policy_of(labels: Mapping[str, str], mode: str) -> Policy:
    """What the labels say for `enforce`, `audit` or `warn`; without a word, privileged."""
    level = labels.get(f"{PREFIX}{mode}", "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    return Policy(level if level in LEVELS else "restricted", version)


def is_significant(new: Object, old: Object) -> bool:
    """Whether an update of a pod changes what the standards look at: images may change, and what is not in the spec."""
    return _without_images(new["spec"]) != _without_images(old["spec"])


def label_faults(labels: Mapping[str, str]) -> list[FieldError]:
    """Pod-security labels whose value means nothing."""
    faults = []
    for mode in MODES:
        level, version = labels.get(f"{PREFIX}{mode}"), labels.get(f"{PREFIX}{mode}-version")
        if level is not None and level not in LEVELS:
            why = f"must be one of {', '.join(LEVELS)}"
            faults.append(_label_fault(mode, level, why))
        if version is not None and not _is_version(version):
            faults.append(_label_fault(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
    return faults


def _label_fault(mode: str, value: str, why: str) -> FieldError:
    field = f"metadata.labels[{PREFIX}{mode}]"
    return FieldError(field, "FieldValueInvalid", f'Invalid value: "{value}": {why}')


def _is_version(text: str) -> bool:
    return text == "latest" or (text.startswith("v1.") and text[3:].isdigit() and (text == "v1.0" or text[3] != "0"))


def _check_labels(attributes: Attributes) -> None:
    labels = attributes.new["metadata"].get("labels") or {}
    before = ((attributes.old_object or {}).get("metadata") or {}).get("labels") or {}
    if labels != before and (faults := label_faults(labels)):
        raise invalid_object("", "Namespace", attributes.name, faults)


def _warn(attributes: Attributes, pod: Object, labels: Mapping[str, str]) -> None:
    policy = policy_of(labels, "warn")
    if found := violations(pod, policy.level):
        attributes.warnings.append(f'would violate PodSecurity "{policy}": {", ".join(found)}')


def _dig(obj: Object, path: tuple[str, ...]) -> Object | None:
    found: Object | None = obj
    for key in path:
        found = (found or {}).get(key)
    return found


def _without_images(spec: Object) -> Object:
    bare = dict(spec)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        bare[kind] = [{**container, "image": ""} for container in spec.get(kind) or ()]
    return bare
