"""The standard `baseline`: what it finds wrong with a pod, in upstream's words. Pure.

Each check takes a pod (or pod template) and the minor version of the standard, and answers None or the reason and its
details. Where a newer version allows more or looks at more, the check says so.
Source: k8s.io/pod-security-admission/policy.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kubepy.api.pod_references import containers_of
from kubepy.apiserver.lookup import Object

Found = tuple[str, str] | None
Check = Callable[[Object, int], Found]

_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    )
)  # fmt: skip
_SELINUX_TYPES = {"": 0, "container_t": 0, "container_init_t": 0, "container_kvm_t": 0, "container_engine_t": 31}
_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
    "net.ipv4.tcp_notsent_lowat": 37,
    "net.ipv4.tcp_slow_start_after_idle": 37,
}
"""What is allowed, and since which minor version of the standard."""
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_USER_NAMESPACES_SINCE = 35


def app_armor(pod: Object, minor: int) -> Found:
    """No turning AppArmor off."""
    setters, values = setting(
        pod,
        lambda one: (one.get("appArmorProfile") or {}).get("type"),
        lambda kind: kind in (None, "", "RuntimeDefault", "Localhost"),
    )
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    bad = sorted(
        f'{key}="{value}"'
        for key, value in annotations.items()
        if key.startswith(_APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    )
    if bad:
        setters.append("annotation" if len(bad) == 1 else "annotations")
        values += bad
    if not setters:
        return None
    reason = "forbidden AppArmor profile" if len(values) == 1 else "forbidden AppArmor profiles"
    return reason, f"{' and '.join(setters)} must not set AppArmor profile type to {quoted(values)}"


def capabilities(pod: Object, minor: int) -> Found:
    """No capabilities beyond the runtime's own."""
    bad: set[str] = set()
    names = []
    for container in containers_of(pod["spec"]):
        if added := set(added_capabilities(container)) - _CAPABILITIES:
            names.append(container["name"])
            bad |= added
    if not names:
        return None
    detail = f"{containers(names)} must not include {quoted(sorted(bad))} in securityContext.capabilities.add"
    return "non-default capabilities", detail


def host_namespaces(pod: Object, minor: int) -> Found:
    """No namespaces of the host."""
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if pod["spec"].get(field)]
    return ("host namespaces", ", ".join(used)) if used else None


def host_path_volumes(pod: Object, minor: int) -> Found:
    """No folders of the host."""
    bad = [volume["name"] for volume in pod["spec"].get("volumes") or () if volume.get("hostPath") is not None]
    return ("hostPath volumes", many("volume", bad)) if bad else None


def host_ports(pod: Object, minor: int) -> Found:
    """No ports of the host."""
    names, ports = [], set()
    for container in containers_of(pod["spec"]):
        used = [str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")]
        if used:
            names.append(container["name"])
            ports.update(used)
    if not names:
        return None
    return "hostPort", f"{containers(names)} {uses(names)} {plural('hostPort', ports)} {', '.join(sorted(ports))}"


def host_probes(pod: Object, minor: int) -> Found:
    """No probes and hooks that ask another host; since 1.34."""
    names, hosts = set(), set()
    for container in containers_of(pod["spec"]) if minor >= 34 else ():
        if found := set(_asked_hosts(container)):
            names.add(container["name"])
            hosts |= found
    if not names:
        return None
    noun = plural("probe or lifecycle host", hosts)
    detail = f"{containers(sorted(names))} {uses(names)} {noun} {quoted(sorted(hosts))}"
    return "probe or lifecycle host", detail


def _asked_hosts(container: Object) -> Iterator[str]:
    hooks = container.get("lifecycle") or {}
    handlers = [container.get(probe) for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    for handler in (*handlers, hooks.get("postStart"), hooks.get("preStop")):
        for kind in ("httpGet", "tcpSocket"):
            host = ((handler or {}).get(kind) or {}).get("host")
            if host:
                yield host


def privileged(pod: Object, minor: int) -> Found:
    """No privileged containers."""
    bad = [c["name"] for c in containers_of(pod["spec"]) if security_of(c).get("privileged")]
    return ("privileged", f"{containers(bad)} must not set securityContext.privileged=true") if bad else None


def proc_mount(pod: Object, minor: int) -> Found:
    """No unmasked /proc; since 1.35, but in a user namespace."""
    return None if is_in_user_namespace(pod, minor) else any_proc_mount(pod, minor)


def any_proc_mount(pod: Object, minor: int) -> Found:
    """No unmasked /proc."""
    found = {c["name"]: security_of(c).get("procMount") or "Default" for c in containers_of(pod["spec"])}
    bad = [name for name, kind in found.items() if kind != "Default"]
    kinds = sorted({found[name] for name in bad})
    return (
        ("procMount", f"{containers(bad)} must not set securityContext.procMount to {quoted(kinds)}") if bad else None
    )


def selinux(pod: Object, minor: int) -> Found:
    """No SELinux users, roles or types of one's own."""
    kinds: set[str] = set()
    parts: set[str] = set()

    def is_fine(options: Any) -> bool:
        kind = (options or {}).get("type") or ""
        is_known = kind in _SELINUX_TYPES and _SELINUX_TYPES[kind] <= minor
        own = {part for part in ("user", "role") if (options or {}).get(part)}
        kinds.update(() if is_known else (kind,))
        parts.update(own)
        return is_known and not own

    setters, _ = setting(pod, lambda one: one.get("seLinuxOptions"), is_fine)
    if not setters:
        return None
    data = [f"{plural('type', kinds)} {quoted(sorted(kinds))}"] if kinds else []
    data += [f"{part} may not be set" for part in ("user", "role") if part in parts]
    return "seLinuxOptions", f"{' and '.join(setters)} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"


def seccomp(pod: Object, minor: int) -> Found:
    """No turning seccomp off; before 1.19 annotations said so."""
    if minor < 19:
        return _seccomp_annotations(pod)
    setters, values = setting(pod, lambda one: one.get("seccompProfile"), is_fine_seccomp)
    if not setters:
        return None
    kinds = sorted({str((value or {}).get("type") or "") for value in values})
    return (
        "seccompProfile",
        f"{' and '.join(setters)} must not set securityContext.seccompProfile.type to {quoted(kinds)}",
    )


def is_fine_seccomp(profile: Any) -> bool:
    """Whether a profile is one of the allowed ones, or not there."""
    return profile is None or profile.get("type") in ("RuntimeDefault", "Localhost")


def _seccomp_annotations(pod: Object) -> Found:
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    keys = [_SECCOMP_POD, *(_SECCOMP_CONTAINER + c["name"] for c in containers_of(pod["spec"]))]
    bad = sorted(
        f'{key}="{annotations[key]}"'
        for key in keys
        if key in annotations
        and annotations[key] not in ("runtime/default", "docker/default")
        and not annotations[key].startswith("localhost/")
    )
    return ("seccompProfile", f"forbidden {plural('annotation', bad)} {', '.join(bad)}") if bad else None


def sysctls(pod: Object, minor: int) -> Found:
    """No kernel parameters but safe ones."""
    found = (pod["spec"].get("securityContext") or {}).get("sysctls") or ()
    bad = [one["name"] for one in found if _SYSCTLS.get(one["name"], minor + 1) > minor]
    return ("forbidden sysctls", ", ".join(bad)) if bad else None


def windows_host_process(pod: Object, minor: int) -> Found:
    """No processes of a Windows host."""
    setters, _ = setting(pod, lambda one: (one.get("windowsOptions") or {}).get("hostProcess"), lambda says: not says)
    detail = f"{' and '.join(setters)} must not set securityContext.windowsOptions.hostProcess=true"
    return ("hostProcess", detail) if setters else None


def setting(pod: Object, read: Callable[[Object], Any], is_fine: Callable[[Any], bool]) -> tuple[list[str], list[Any]]:
    """Who sets in a security context what is not fine, as `pod`, `containers "a", "b"`; and the values, each once."""
    setters: list[str] = []
    values: list[Any] = []
    of_pod = read(pod["spec"].get("securityContext") or {})
    if not is_fine(of_pod):
        setters.append("pod")
        values.append(of_pod)
    names = []
    for container in containers_of(pod["spec"]):
        value = read(security_of(container))
        if not is_fine(value):
            names.append(container["name"])
            values += [] if value in values else [value]
    if names:
        setters.append(containers(names))
    return setters, values


def is_in_user_namespace(pod: Object, minor: int) -> bool:
    """Whether the pod's root is nobody on the host, which newer versions of the standards make allowances for."""
    return minor >= _USER_NAMESPACES_SINCE and pod["spec"].get("hostUsers") is False


def security_of(container: Object) -> dict[str, Any]:
    """A container's security context."""
    return container.get("securityContext") or {}


def added_capabilities(container: Object) -> list[str]:
    """The capabilities that a container asks for."""
    return (security_of(container).get("capabilities") or {}).get("add") or []


def quoted(texts: Iterable[Any]) -> str:
    """`"a", "b"`."""
    return ", ".join(f'"{text}"' for text in texts)


def containers(names: list[str]) -> str:
    """`container "a"` or `containers "a", "b"`."""
    return many("container", names)


def many(noun: str, names: list[str]) -> str:
    """The noun, in the plural where that is right, and the names."""
    return f"{plural(noun, names)} {quoted(names)}"


def plural(noun: str, things: Iterable[Any]) -> str:
    """The noun as fits the number of things."""
    return noun if len(list(things)) == 1 else f"{noun}s"


def uses(names: Iterable[str]) -> str:
    """The verb as fits the number of names."""
    return "uses" if len(list(names)) == 1 else "use"


BASELINE: tuple[Check, ...] = (
    app_armor, capabilities, host_namespaces, host_path_volumes, host_ports, host_probes, privileged, proc_mount,
    selinux, seccomp, sysctls, windows_host_process,
)  # fmt: skip
"""In the order of upstream's names of them, which is that of its messages."""
