"""The standard `restricted`: `baseline`, less what it replaces, and more. Pure; see baseline.py.

Source: k8s.io/pod-security-admission/policy.
"""

from kubepy.api.pod_references import containers_of
from kubepy.apiserver.admission.pod_security import baseline
from kubepy.apiserver.admission.pod_security.baseline import (
    BASELINE,
    Check,
    Found,
    added_capabilities,
    containers,
    is_fine_seccomp,
    is_in_user_namespace,
    many,
    plural,
    quoted,
    security_of,
    setting,
    uses,
)
from kubepy.apiserver.lookup import Object

NEWEST = 37
"""The newest version of the standards: what `latest` means, and any version beyond it."""
_VOLUME_TYPES = frozenset(
    (
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",
    )
)  # fmt: skip


def violations(pod: Object, level: str, minor: int) -> list[tuple[str, str]]:
    """Everything that the standard `level` has against the pod, as reasons and details; nothing for `privileged`."""
    if level == "privileged":
        return []
    minor = min(minor, NEWEST)
    checks = BASELINE if level == "baseline" else _restricted(minor)
    return [found for check in checks if (found := check(pod, minor)) is not None]


def describe(found: list[tuple[str, str]]) -> str:
    """`reason (details), reason (details)`."""
    return ", ".join(f"{reason} ({detail})" for reason, detail in found)


def _restricted(minor: int) -> tuple[Check, ...]:
    replaced = {check for _, since, old in RESTRICTED if since <= minor for check in old}
    return (
        *(check for check in BASELINE if check not in replaced),
        *(check for check, since, _ in RESTRICTED if since <= minor),
    )


def allow_privilege_escalation(pod: Object, minor: int) -> Found:
    """No gaining of privileges."""
    bad = [c["name"] for c in containers_of(pod["spec"]) if security_of(c).get("allowPrivilegeEscalation") is not False]
    if not bad or _is_windows(pod, minor):
        return None
    detail = f"{containers(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return "allowPrivilegeEscalation != false", detail


def capabilities(pod: Object, minor: int) -> Found:
    """All capabilities dropped, at most the one for low ports added."""
    if _is_windows(pod, minor):
        return None
    undropped, adding, added = [], [], set()
    for container in containers_of(pod["spec"]):
        if "ALL" not in ((security_of(container).get("capabilities") or {}).get("drop") or ()):
            undropped.append(container["name"])
        if extra := set(added_capabilities(container)) - {"NET_BIND_SERVICE"}:
            adding.append(container["name"])
            added |= extra
    details = []
    if undropped:
        details.append(f'{containers(undropped)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        what = quoted(sorted(added))
        details.append(f"{containers(adding)} must not include {what} in securityContext.capabilities.add")
    return ("unrestricted capabilities", "; ".join(details)) if details else None


def volumes(pod: Object, minor: int) -> Found:
    """Only volumes that cannot reach out of the pod."""
    names: list[str] = []
    kinds: set[str] = set()
    for volume in pod["spec"].get("volumes") or ():
        found = {kind for kind, source in volume.items() if kind != "name" and source is not None}
        if not found & _VOLUME_TYPES:
            names.append(volume["name"])
            kinds |= found or {"unknown"}
    if not names:
        return None
    noun = plural("restricted volume type", kinds)
    return "restricted volume types", f"{many('volume', names)} {uses(names)} {noun} {quoted(sorted(kinds))}"


def run_as_non_root(pod: Object, minor: int) -> Found:
    """Not as root, said by the pod or by each container."""
    if is_in_user_namespace(pod, minor):
        return None
    reason = "runAsNonRoot != true"
    setters, _ = setting(pod, lambda one: one.get("runAsNonRoot"), lambda says: says is not False)
    if setters:
        return reason, f"{' and '.join(setters)} must not set securityContext.runAsNonRoot=false"
    if (pod["spec"].get("securityContext") or {}).get("runAsNonRoot"):
        return None
    unset = [c["name"] for c in containers_of(pod["spec"]) if security_of(c).get("runAsNonRoot") is None]
    return (reason, f"pod or {containers(unset)} must set securityContext.runAsNonRoot=true") if unset else None


def run_as_user(pod: Object, minor: int) -> Found:
    """Not as user 0."""
    if is_in_user_namespace(pod, minor):
        return None
    setters, _ = setting(pod, lambda one: one.get("runAsUser"), lambda user: user != 0 or user is None)
    return ("runAsUser=0", f"{' and '.join(setters)} must not set runAsUser=0") if setters else None


def seccomp(pod: Object, minor: int) -> Found:
    """Seccomp on, said by the pod or by each container."""
    if _is_windows(pod, minor):
        return None
    if found := baseline.seccomp(pod, minor):
        return found
    of_pod = (pod["spec"].get("securityContext") or {}).get("seccompProfile")
    if of_pod is not None and is_fine_seccomp(of_pod):
        return None
    unset = [c["name"] for c in containers_of(pod["spec"]) if security_of(c).get("seccompProfile") is None]
    detail = (
        f'pod or {containers(unset)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    )
    return ("seccompProfile", detail) if unset else None


def _is_windows(pod: Object, minor: int) -> bool:
    return minor >= 25 and (pod["spec"].get("os") or {}).get("name") == "windows"


RESTRICTED: tuple[tuple[Check, int, tuple[Check, ...]], ...] = (
    (allow_privilege_escalation, 8, ()),
    (capabilities, 22, (baseline.capabilities,)),
    (baseline.any_proc_mount, 35, (baseline.proc_mount,)),
    (volumes, 0, (baseline.host_path_volumes,)),
    (run_as_non_root, 0, ()),
    (run_as_user, 23, ()),
    (seccomp, 19, (baseline.seccomp,)),
)
"""Each check, the version it came with, and the checks of `baseline` that it takes the place of."""
