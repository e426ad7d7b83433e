"""The rules of security contexts, of pods and of containers, and of the annotations that came before them.

Privileged containers are allowed: a cluster that does not want them says so by pod security admission.
Source: pkg/apis/core/validation, ValidateSecurityContext, validatePodSpecSecurityContext, Validate{Seccomp,AppArmor}*.
"""

import re
from collections.abc import Mapping

from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.fields import one_of, supported_if_set, user_id
from kubepy.api.validation.paths import descending_path
from kubepy.api.validation.shown import SECCOMP_PROFILE, SECURITY_CONTEXT, show
from kubepy.api.validation.windows import validate_windows_options

_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
_PROFILE_LIMIT = 4095
_SYSCTL_LIMIT = 253
_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_TEXT = rf"^({_SEGMENT}[\./])*{_SEGMENT}$"
_SYSCTL = re.compile(_SYSCTL_TEXT[1:-1]).fullmatch
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"


def validate_container_security(context: Object, path: str, *, host_users: bool) -> list[FieldError]:
    """Faults in a container's securityContext. `host_users`: the pod shares the node's user namespace."""
    errors = user_id(context.get("runAsUser"), f"{path}.runAsUser")
    errors += user_id(context.get("runAsGroup"), f"{path}.runAsGroup")
    mount = context.get("procMount")
    if mount is not None:
        errors += supported_if_set(mount, f"{path}.procMount", ("Default", "Unmasked"))
        if mount == "Unmasked" and host_users:
            why = "`hostUsers` must be false to use `Unmasked`"
            errors.append(invalid(f"{path}.procMount", mount, why))
    errors += _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid(path, show(context, SECURITY_CONTEXT), why))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, show(context, SECURITY_CONTEXT), why))
    errors += validate_windows_options(context.get("windowsOptions"), f"{path}.windowsOptions")
    return errors + _apparmor(context.get("appArmorProfile"), f"{path}.appArmorProfile")


def validate_pod_security(spec: Object, path: str) -> list[FieldError]:
    """Faults in a pod's securityContext, seen together with the namespaces that it shares with the node."""
    context = spec.get("securityContext") or {}
    at = f"{path}.securityContext"
    errors: list[FieldError] = []
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        errors += user_id(context.get(field), f"{at}.{field}")
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += user_id(group, f"{at}.supplementalGroups[{index}]")
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(f"{at}.shareProcessNamespace", True, why))
    if not context:
        return errors
    errors += _sysctls(context.get("sysctls") or [], spec, f"{at}.sysctls")
    policy = context.get("fsGroupChangePolicy")
    errors += supported_if_set(policy, f"{at}.fsGroupChangePolicy", ("Always", "OnRootMismatch"))
    errors += _seccomp(context.get("seccompProfile"), f"{at}.seccompProfile")
    errors += validate_windows_options(context.get("windowsOptions"), f"{at}.windowsOptions")
    errors += _apparmor(context.get("appArmorProfile"), f"{at}.appArmorProfile")
    for field, supported in _POLICIES.items():
        errors += supported_if_set(context.get(field), f"{at}.{field}", supported)
    return errors


_POLICIES = {
    "supplementalGroupsPolicy": ("Merge", "Strict"),
    "seLinuxChangePolicy": ("MountOption", "Recursive"),
}


def _sysctls(sysctls: list[Object], spec: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        at, name = f"{path}[{index}].name", sysctl.get("name") or ""
        if not name:
            errors.append(required(at))
        elif len(name) > _SYSCTL_LIMIT or not _SYSCTL(name):
            why = f"must have at most {_SYSCTL_LIMIT} characters and match regex {_SYSCTL_TEXT}"
            errors.append(invalid(at, name, why))
        elif name in seen:
            errors.append(duplicate(at, name))
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            errors.append(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and dotted.startswith(_IPC_SYSCTLS):
            errors.append(invalid(at, name, "may not be specified when 'hostIPC' is true"))
    return errors


def _seccomp(profile: Object | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, file = profile.get("type") or "", profile.get("localhostProfile")
    if not kind:
        errors = [required(f"{path}.type", "type is required when seccompProfile is set")]
    else:
        errors = one_of(kind, f"{path}.type", _PROFILE_TYPES)
    if kind == "Localhost":
        if file is None:
            why = "must be set when seccomp type is Localhost"
            return [*errors, required(f"{path}.localhostProfile", why)]
        return errors + descending_path(file, f"{path}.localhostProfile")
    if file is not None:
        why = "can only be set when seccomp type is Localhost"
        errors.append(invalid(f"{path}.localhostProfile", show(profile, SECCOMP_PROFILE), why))
    return errors


def _apparmor(profile: Object | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, file, at = profile.get("type") or "", profile.get("localhostProfile"), f"{path}.localhostProfile"
    if kind == "Localhost":
        if file is not None and file != file.strip():
            errors = [invalid(at, file, "must not be padded with whitespace")]
        else:
            errors = [] if file else [required(at, "must be set when AppArmor type is Localhost")]
        return [*errors, too_long(at, _PROFILE_LIMIT)] if file and len(file) > _PROFILE_LIMIT else errors
    if kind in _PROFILE_TYPES:
        why = "can only be set when AppArmor type is Localhost"
        return [] if file is None else [invalid(at, file, why)]
    if not kind:
        return [required(f"{path}.type", "type is required when appArmorProfile is set")]
    return one_of(kind, f"{path}.type", _PROFILE_TYPES)


def is_apparmor_profile(profile: Object) -> bool:
    """Whether nothing is wrong with it."""
    return not _apparmor(profile, "")


def validate_security_annotations(annotations: Mapping[str, str], spec: Object, path: str) -> list[FieldError]:
    """Faults in the annotations that named seccomp and AppArmor profiles before there were fields."""
    errors: list[FieldError] = []
    for key, profile in annotations.items():
        if key == _SECCOMP_POD or key.startswith(_SECCOMP_CONTAINER):
            errors += _seccomp_annotation(profile, f"{path}.{key}")
        elif key.startswith(_APPARMOR):
            name = key.removeprefix(_APPARMOR)
            if all(container.get("name") != name for _, container in containers_with_paths(spec, "")):
                errors.append(invalid(f"{path}[{key}]", name, "container not found"))
            if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
                why = f'invalid AppArmor profile name: "{profile}"'
                errors.append(invalid(f"{path}[{key}]", profile, why))
    return errors


def _seccomp_annotation(profile: str, path: str) -> list[FieldError]:
    if profile in ("runtime/default", "docker/default", "unconfined"):
        return []
    if profile.startswith("localhost/"):
        return descending_path(profile.removeprefix("localhost/"), path)
    return [invalid(path, profile, "must be a valid seccomp profile")]


def validate_profiles_agree(annotations: Mapping[str, str], spec: Object, path: str) -> list[FieldError]:
    """Faults where an annotation and the field that replaced it name different profiles."""
    if not any("seccomp" in key or "apparmor" in key for key in annotations):
        return []
    own = spec.get("securityContext") or {}
    pod = annotations.get(_SECCOMP_POD)
    errors = _agrees(pod, own.get("seccompProfile"), f"{path}.securityContext", "seccomp")
    containers = [
        (f"{at}.securityContext", container.get("name") or "", container.get("securityContext") or {})
        for at, container in containers_with_paths(spec, path)
    ]
    for at, name, context in containers:
        errors += _agrees(annotations.get(_SECCOMP_CONTAINER + name), context.get("seccompProfile"), at, "seccomp")
    if (spec.get("os") or {}).get("name") == "windows":
        return errors
    for at, name, context in containers:
        field = context.get("appArmorProfile") or own.get("appArmorProfile")
        errors += _agrees(annotations.get(_APPARMOR + name), field, at, "apparmor")
    return errors


def _agrees(annotation: str | None, field: Object | None, path: str, noun: str) -> list[FieldError]:
    if annotation is None or field is None:
        return []
    at = f"{path}.{'seccompProfile' if noun == 'seccomp' else 'appArmorProfile'}"
    kind = field.get("type")
    default = ["runtime/default", "docker/default"] if noun == "seccomp" else ["runtime/default"]
    expected = {"Unconfined": ["unconfined"], "RuntimeDefault": default}
    if kind == "Localhost":
        if not annotation.startswith("localhost/"):
            return [forbidden(f"{at}.type", f"{noun} type in annotation and field must match")]
        if annotation.removeprefix("localhost/") != field.get("localhostProfile"):
            return [forbidden(f"{at}.localhostProfile", f"{noun} profile in annotation and field must match")]
    elif kind in expected and annotation not in expected[kind]:
        return [forbidden(f"{at}.type", f"{noun} type in annotation and field must match")]
    return []


def containers_with_paths(spec: Object, path: str) -> list[tuple[str, Object]]:
    """Every container of any sort with its path: init containers first, ephemeral ones last."""
    return [
        (f"{path}.{field}[{index}]", container)
        for field in ("initContainers", "containers", "ephemeralContainers")
        for index, container in enumerate(spec.get(field) or ())
    ]
