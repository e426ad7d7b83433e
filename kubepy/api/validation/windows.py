"""The rules of pods for Windows nodes, and of what a pod may set once it names its operating system.

Source: pkg/apis/core/validation, validateWindowsSecurityContextOptions, validateWindowsHostProcessPod, validateOS.
"""

import re

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object

_SPEC_BYTES_LIMIT = 64 * 1024
_DOMAIN_LIMIT, _USER_LIMIT = 256, 104
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf'[^\\/:*?"<>|.][^\\/:*?"<>|]{{0,14}}|{_LABEL}(?:\.{_LABEL})*').fullmatch
_ONLY_LINUX_POD = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls", "runAsUser",
    "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy",
)  # fmt: skip
_ONLY_LINUX_CONTAINER = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip
_NOT_WINDOWS = "cannot be set for a windows pod"


def validate_windows_options(options: Object | None, path: str) -> list[FieldError]:
    """Faults in windowsOptions."""
    if options is None:
        return []
    errors: list[FieldError] = []
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        errors += [invalid(f"{path}.gmsaCredentialSpecName", name, text) for text in names.is_dns1123_subdomain(name)]
    if (content := options.get("gmsaCredentialSpec")) is not None:
        at = f"{path}.gmsaCredentialSpec"
        if not content:
            errors.append(invalid(at, content, "gmsaCredentialSpec cannot be an empty string"))
        elif len(content) > _SPEC_BYTES_LIMIT:
            errors.append(invalid(at, content, "gmsaCredentialSpec size must be under 64 KiB"))
    if (user := options.get("runAsUserName")) is not None:
        errors += [invalid(f"{path}.runAsUserName", user, f"runAsUserName{text}") for text in _user_faults(user)]
    return errors


def _user_faults(name: str) -> list[str]:
    if not name:
        return [" cannot be an empty string"]
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return [" cannot contain control characters"]
    if name.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, backslash, user = name.rpartition("\\")
    faults = []
    if len(domain) >= _DOMAIN_LIMIT:
        faults.append(f"'s Domain length must be under {_DOMAIN_LIMIT} characters")
    if backslash and not _DOMAIN(domain):
        faults.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        faults.append("'s User cannot be empty")
    elif len(user) > _USER_LIMIT:
        faults.append(f"'s User length must not be longer than {_USER_LIMIT} characters")
    if user and not user.strip(". "):
        faults.append("'s User cannot contain only periods or spaces")
    if re.search(r'["/\\:;|=,+*?<>@\[\]]', user):
        faults.append("""'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]""")
    return faults


def _host_process(holder: Object) -> bool | None:
    options = (holder.get("securityContext") or {}).get("windowsOptions") or {}
    return options.get("hostProcess")


def validate_host_process(spec: Object, path: str, containers: list[tuple[str, Object]]) -> list[FieldError]:
    """HostProcess is for all containers of a pod or none, and needs the host's network."""
    own = _host_process(spec)
    errors: list[FieldError] = []
    count = 0
    for at, container in containers:
        theirs = _host_process(container)
        if own is not None and theirs is not None and own != theirs:
            why = f"pod hostProcess value must be identical if both are specified, was {str(own).lower()}"
            errors.append(invalid(f"{at}.securityContext.windowsOptions.hostProcess", theirs, why))
        count += bool(own if theirs is None else theirs)
    if count and count != len(containers):
        why = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        errors.append(invalid(path, "", why))
    if count and not spec.get("hostNetwork"):
        why = "hostNetwork must be true if pod contains any hostProcess containers"
        errors.append(invalid(f"{path}.hostNetwork", False, why))
    return errors


def validate_os(spec: Object, path: str, containers: list[tuple[str, Object]]) -> list[FieldError]:
    """Faults in `os`, and in what does not go with it."""
    os = spec.get("os")
    if os is None:
        return []
    name = os.get("name") or ""
    if not name:
        return [required(f"{path}.os.name", "cannot be empty")]
    if name == "linux":
        return _linux(spec, path, containers)
    if name == "windows":
        return _windows(spec, path, containers)
    return [not_supported(f"{path}.os", name, ("linux", "windows"))]


def _linux(spec: Object, path: str, containers: list[tuple[str, Object]]) -> list[FieldError]:
    return [
        forbidden(f"{at}.securityContext.windowsOptions", "windows options cannot be set for a linux pod")
        for at, holder in [(path, spec), *containers]
        if (holder.get("securityContext") or {}).get("windowsOptions") is not None
    ]


def _windows(spec: Object, path: str, containers: list[tuple[str, Object]]) -> list[FieldError]:
    own = spec.get("securityContext") or {}
    errors = [
        forbidden(f"{path}.securityContext.{field}", _NOT_WINDOWS)
        for field in _ONLY_LINUX_POD
        if own.get(field) not in (None, [])
    ]
    errors += [forbidden(f"{path}.{field}", _NOT_WINDOWS) for field in ("hostPID", "hostIPC") if spec.get(field)]
    given = [field for field in ("hostUsers", "shareProcessNamespace", "resources") if spec.get(field) is not None]
    errors += [forbidden(f"{path}.{field}", _NOT_WINDOWS) for field in given]
    for at, container in containers:
        context = container.get("securityContext") or {}
        set_here = [field for field in _ONLY_LINUX_CONTAINER if context.get(field) is not None]
        errors += [forbidden(f"{at}.securityContext.{field}", _NOT_WINDOWS) for field in set_here]
    return errors
