"""What --allow-privileged=false means: no container of a pod, or of a template of pods, is privileged.

Source: pkg/apis/core/validation, ValidateSecurityContext; pkg/capabilities.
"""

from collections.abc import Mapping

from kubepy.api.errors import FieldError, forbidden
from kubepy.api.meta import Object

_TEMPLATE = ("spec", "template", "spec")
POD_SPECS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): ("spec",),
    ("", "podtemplates"): ("template", "spec"),
    ("", "replicationcontrollers"): _TEMPLATE,
    ("apps", "daemonsets"): _TEMPLATE,
    ("apps", "deployments"): _TEMPLATE,
    ("apps", "replicasets"): _TEMPLATE,
    ("apps", "statefulsets"): _TEMPLATE,
    ("batch", "cronjobs"): ("spec", "jobTemplate", *_TEMPLATE),
    ("batch", "jobs"): _TEMPLATE,
}
"""Where the objects of a resource, by (group, plural), hold the spec of their pods."""


def privileged_faults(obj: Object, path: tuple[str, ...]) -> list[FieldError]:
    """A fault for each container of the spec at `path` that is privileged."""
    spec = obj
    for field in path:
        spec = spec.get(field) or {}
    return [
        forbidden(f"{'.'.join(path)}.{kind}[{index}].securityContext.privileged", "disallowed by cluster policy")
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for index, container in enumerate(spec.get(kind) or ())
        if (container.get("securityContext") or {}).get("privileged")
    ]
