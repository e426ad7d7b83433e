"""Pod Security: a namespace's labels say which standard its pods must meet, and of which it is only warned.

Pods that break the enforced standard are refused; what makes pods is only warned of, and so is whoever tightens the
labels of a namespace with pods that break them.
Source: k8s.io/pod-security-admission/admission.
"""

from collections.abc import Mapping

from kubepy.api import resources
from kubepy.api.errors import invalid_object
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, PODS, UPDATE, Plugin
from kubepy.apiserver.admission.pod_security.metrics import ALLOW, DENY, PodSecurityMetrics
from kubepy.apiserver.admission.pod_security.policy import (
    LEVELS,
    MODES,
    PREFIX,
    Policy,
    Settings,
    Standard,
    compact,
    policy_of,
)
from kubepy.apiserver.admission.pod_security.restricted import describe, violations
from kubepy.apiserver.authz.rules import joined
from kubepy.apiserver.lookup import Lookup, Object

_NAMESPACES, _PODS = resources.named("namespaces"), resources.named("pods")
_SECCOMP_ANNOTATION = "seccomp.security.alpha.kubernetes.io/"
_PODS_CHECKED = 3000
_ENFORCED, _VIOLATIONS, _EXEMPT = f"{PREFIX}enforce-policy", f"{PREFIX}audit-violations", f"{PREFIX}exempt"
"""What is told in the audit log."""
_ERROR = f"{PREFIX}error"
_PRIVILEGED = str(Standard())
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


class PodSecurity(Plugin):
    """See the module's docstring."""

    name = "PodSecurity"
    operations = frozenset((CREATE, UPDATE))
    targets = frozenset((PODS, ("", "namespaces"), *_TEMPLATE_PATHS))
    subresources = frozenset(("", "ephemeralcontainers", "resize"))

    def __init__(
        self, lookup: Lookup, settings: Settings | None = None, metrics: PodSecurityMetrics | None = None
    ) -> None:
        self._lookup = lookup
        self._settings = settings or Settings()
        self._metrics = metrics or PodSecurityMetrics()
        self._is_lax = all(standard.level == "privileged" for standard in self._settings.defaults.values())

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden, or Invalid for labels that mean nothing."""
        resource = attributes.resource
        if resource is _NAMESPACES:
            self._check_namespace(attributes)
            return
        settings, is_pod = self._settings, resource.plural == "pods"
        if attributes.namespace in settings.namespaces:
            self._exempt(attributes, "namespace")
            return
        if attributes.user.name in settings.usernames:
            self._exempt(attributes, "user")
            return
        labels = self._labels(attributes.namespace)
        if self._is_lax and not any(label.startswith(PREFIX) for label in labels):
            if is_pod:
                attributes.annotate(_ENFORCED, _PRIVILEGED)
                self._metrics.evaluated(ALLOW, Standard(), "enforce", attributes)
            return
        policy, faults = policy_of(labels, settings.defaults)
        if faults:
            attributes.annotate(_ERROR, f"Failed to parse policy: {joined([str(fault) for fault in faults])}")
            self._metrics.stumbled(attributes)
        if is_pod:
            if attributes.old_object is None or is_significant(attributes.new, attributes.old):
                self._judge(attributes, attributes.new, policy, enforces=True)
            return
        template = _dig(attributes.new, _TEMPLATE_PATHS[resource.group, resource.plural])
        if template and template.get("spec"):
            self._judge(attributes, template, policy, enforces=False)

    def _judge(self, attributes: Attributes, pod: Object, policy: Policy, *, enforces: bool) -> None:
        if pod["spec"].get("runtimeClassName") in self._settings.runtime_classes:
            self._exempt(attributes, "runtimeClass")
            return
        known: dict[Standard, str] = {}
        for mode in MODES:
            standard = policy[mode]
            if standard not in known:
                known[standard] = describe(violations(pod, standard.level, standard.minor))
        if found := known[policy["audit"]]:
            attributes.annotate(_VIOLATIONS, f'would violate PodSecurity "{policy["audit"]}": {found}')
            self._metrics.evaluated(DENY, policy["audit"], "audit", attributes)
        if enforces:
            attributes.annotate(_ENFORCED, str(policy["enforce"]))
            decision = DENY if known[policy["enforce"]] else ALLOW
            self._metrics.evaluated(decision, policy["enforce"], "enforce", attributes)
        if enforces and (found := known[policy["enforce"]]):
            raise forbid(attributes, f'violates PodSecurity "{policy["enforce"]}": {found}')
        if found := known[policy["warn"]]:
            attributes.warnings.append(f'would violate PodSecurity "{policy["warn"]}": {found}')
            self._metrics.evaluated(DENY, policy["warn"], "warn", attributes)

    def _exempt(self, attributes: Attributes, why: str) -> None:
        attributes.annotate(_EXEMPT, why)
        self._metrics.exempted(attributes)

    def _check_namespace(self, attributes: Attributes) -> None:
        if attributes.subresource:
            return
        defaults = self._settings.defaults
        new, faults = policy_of(_labels_of(attributes.new), defaults)
        if attributes.old_object is None:
            if faults:
                raise invalid_object("", "Namespace", attributes.name, faults)
            self._warn_of_exemption(attributes, new)
            return
        old, old_faults = policy_of(_labels_of(attributes.old), defaults)
        if faults and faults != old_faults:
            raise invalid_object("", "Namespace", attributes.name, faults)
        if not is_tightened(new["enforce"], old["enforce"]):
            return
        if attributes.name in self._settings.namespaces:
            self._warn_of_exemption(attributes, new)
        else:
            attributes.warnings.extend(self._warnings_of(attributes.name, new["enforce"]))

    def _warn_of_exemption(self, attributes: Attributes, policy: Policy) -> None:
        shown, defaults = compact(policy), self._settings.defaults
        if attributes.name in self._settings.namespaces and shown and shown != compact(defaults):
            attributes.warnings.append(
                f'namespace "{attributes.name}" is exempt from Pod Security, and the policy ({shown}) will be ignored'
            )

    def _warnings_of(self, namespace: str, standard: Standard) -> list[str]:
        pods = self._lookup.list(_PODS, namespace)
        return pod_warnings(namespace, standard, pods, self._settings.runtime_classes)

    def _labels(self, namespace: str) -> Mapping[str, str]:
        found = self._lookup.get(_NAMESPACES, namespace)
        return _labels_of(found) if found else {}


def _labels_of(namespace: Object) -> Mapping[str, str]:
    return namespace["metadata"].get("labels") or {}


def is_tightened(new: Standard, old: Standard) -> bool:
    """Whether pods that were fine may not be so any more."""
    if new == old or new.level == "privileged":
        return False
    return new.version != old.version or LEVELS.index(new.level) > LEVELS.index(old.level)


def pod_warnings(
    namespace: str, standard: Standard, pods: list[Object], exempt_classes: frozenset[str] = frozenset()
) -> list[str]:
    """What is told to who makes `standard` the enforced one: each sort of violation once, with its first pod."""
    found: dict[str, list[str]] = {}
    for pod in pods[:_PODS_CHECKED]:
        if pod["spec"].get("runtimeClassName") in exempt_classes:
            continue
        if broken := violations(pod, standard.level, standard.minor):
            found.setdefault(", ".join(reason for reason, _ in broken), []).append(pod["metadata"]["name"])
    warnings = []
    if len(pods) > _PODS_CHECKED:
        warnings.append(
            f"new PodSecurity enforce level only checked against the first {_PODS_CHECKED} of {len(pods)} existing pods"
        )
    if found:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"'
        )
    return warnings + sorted(f"{_first_of(names)}: {reasons}" for reasons, names in found.items())


def _first_of(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"


def is_significant(new: Object, old: Object) -> bool:
    """Whether an update of a pod changes what the standards look at: an image, a container more, the old seccomp."""
    if _seccomp_annotations(new) != _seccomp_annotations(old):
        return True
    for kind in ("containers", "initContainers"):
        now, then = new["spec"].get(kind) or [], old["spec"].get(kind) or []
        if len(now) != len(then) or any(a.get("image") != b.get("image") for a, b in zip(now, then, strict=True)):
            return True
    before = {one["name"]: one for one in old["spec"].get("ephemeralContainers") or ()}
    return any(
        one["name"] not in before or one.get("image") != before[one["name"]].get("image")
        for one in new["spec"].get("ephemeralContainers") or ()
    )


def _seccomp_annotations(pod: Object) -> Mapping[str, str]:
    annotations = pod["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if _SECCOMP_ANNOTATION in key}


def _dig(obj: Object, path: tuple[str, ...]) -> Object | None:
    found: Object | None = obj
    for key in path:
        found = (found or {}).get(key)
    return found
