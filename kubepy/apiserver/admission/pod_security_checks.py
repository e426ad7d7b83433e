"""The Pod Security Standards: what `baseline` and `restricted` find wrong with a pod, in upstream's words. Pure.

Each check takes a pod (or pod template) and answers None or `reason (details)`.
Source: k8s.io/pod-security-admission/policy (the checks at version latest).
"""

from collections.abc import Callable, Iterator
from typing import Any

from kubepy.apiserver.authz.pod_references import containers_of
from kubepy.apiserver.lookup import Object

Check = Callable[[Object], str | None]

_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
_SELINUX_TYPES = frozenset(("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"))
_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    )
)
_VOLUME_TYPES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def violations(pod: Object, level: str) -> list[str]:
    """Everything that `level` has against the pod; nothing for `privileged`."""
    if level == "privileged":
        return []
    checks = BASELINE if level == "baseline" else RESTRICTED
    return [found for check in checks if (found := check(pod))]


def host_namespaces(pod: Object) -> str | None:
    """No namespaces of the host."""
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if pod["spec"].get(field)]
    return f"host namespaces ({', '.join(used)})" if used else None


def privileged(pod: Object) -> str | None:
    """No privileged containers."""
    bad = [c["name"] for c in containers_of(pod["spec"]) if _security(c).get("privileged")]
    return f"privileged ({_containers(bad)} must not set securityContext.privileged=true)" if bad else None


def capabilities_baseline(pod: Object) -> str | None:
    """No capabilities beyond the runtime's own."""
    bad: dict[str, None] = {}
    names = []
    for container in containers_of(pod["spec"]):
        added = [one for one in _capabilities(container, "add") if one not in _CAPABILITIES]
        if added:
            names.append(container["name"])
            bad |= dict.fromkeys(added)
    if not names:
        return None
    shown = ", ".join(f'"{one}"' for one in sorted(bad))
    return (
        f"non-default capabilities ({_containers(names)} must not include {shown} in securityContext.capabilities.add)"
    )


def host_path_volumes(pod: Object) -> str | None:
    """No folders of the host."""
    bad = [volume["name"] for volume in pod["spec"].get("volumes") or () if volume.get("hostPath") is not None]
    return f"hostPath volumes ({_many('volume', bad)})" if bad else None


def host_ports(pod: Object) -> str | None:
    """No ports of the host."""
    names, ports = [], []
    for container in containers_of(pod["spec"]):
        used = [str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")]
        if used:
            names.append(container["name"])
            ports += used
    if not names:
        return None
    verb = "uses" if len(names) == 1 else "use"
    noun = "hostPort" if len(ports) == 1 else "hostPorts"
    return f"hostPort ({_containers(names)} {verb} {noun} {', '.join(sorted(set(ports)))})"


def app_armor(pod: Object) -> str | None:
    """No turning AppArmor off."""
    bad = [
        f'{who} must not set securityContext.appArmorProfile.type to "Unconfined"'
        for who, security in _contexts(pod)
        if (security.get("appArmorProfile") or {}).get("type") == "Unconfined"
    ]
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    for key, value in sorted(annotations.items()):
        if key.startswith(_APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/"):
            bad.append(f'annotation {key}="{value}"')
    return f"forbidden AppArmor profile{'s' if len(bad) > 1 else ''} ({', '.join(bad)})" if bad else None


def selinux(pod: Object) -> str | None:
    """No SELinux users, roles or types of one's own."""
    whos, values = [], []
    for who, security in _contexts(pod):
        options = security.get("seLinuxOptions") or {}
        found = [f'type "{options["type"]}"'] if options.get("type", "") not in _SELINUX_TYPES else []
        found += [f"{part} may not be set" for part in ("user", "role") if options.get(part)]
        if found:
            whos.append(who)
            values += found
    return (
        f"seLinuxOptions ({' and '.join(whos)} set forbidden securityContext.seLinuxOptions: {'; '.join(values)})"
        if whos
        else None
    )


def proc_mount(pod: Object) -> str | None:
    """No unmasked /proc."""
    bad = [c["name"] for c in containers_of(pod["spec"]) if _security(c).get("procMount", "Default") != "Default"]
    return f'procMount ({_containers(bad)} must not set securityContext.procMount to "Unmasked")' if bad else None


def seccomp_baseline(pod: Object) -> str | None:
    """No turning seccomp off."""
    bad = [
        who
        for who, security in _contexts(pod)
        if (security.get("seccompProfile") or {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost")
    ]
    if not bad:
        return None
    return f'seccompProfile ({" and ".join(bad)} must not set securityContext.seccompProfile.type to "Unconfined")'


def sysctls(pod: Object) -> str | None:
    """No kernel parameters but safe ones."""
    found = (pod["spec"].get("securityContext") or {}).get("sysctls") or ()
    bad = [one["name"] for one in found if one["name"] not in _SYSCTLS]
    return f"forbidden sysctls ({', '.join(bad)})" if bad else None


def windows_host_process(pod: Object) -> str | None:
    """No processes of a Windows host."""
    bad = [who for who, security in _contexts(pod) if (security.get("windowsOptions") or {}).get("hostProcess")]
    return (
        f"hostProcess ({' and '.join(bad)} must not set securityContext.windowsOptions.hostProcess=true)"
        if bad
        else None
    )


def restricted_volumes(pod: Object) -> str | None:
    """Only volumes that cannot reach out of the pod."""
    bad: list[tuple[str, str]] = []
    for volume in pod["spec"].get("volumes") or ():
        bad += [(volume["name"], kind) for kind in volume if kind != "name" and kind not in _VOLUME_TYPES]
    if not bad:
        return None
    names, kinds = [name for name, _ in bad], sorted({kind for _, kind in bad})
    verb = "uses" if len(names) == 1 else "use"
    noun = "type" if len(kinds) == 1 else "types"
    shown = ", ".join(f'"{kind}"' for kind in kinds)
    return f"restricted volume types ({_many('volume', names)} {verb} restricted volume {noun} {shown})"


def allow_privilege_escalation(pod: Object) -> str | None:
    """No gaining of privileges."""
    bad = [c["name"] for c in containers_of(pod["spec"]) if _security(c).get("allowPrivilegeEscalation") is not False]
    if not bad or _is_windows(pod):
        return None
    return (
        f"allowPrivilegeEscalation != false ({_containers(bad)} must set "
        "securityContext.allowPrivilegeEscalation=false)"
    )


def capabilities_restricted(pod: Object) -> str | None:
    """All capabilities dropped, at most the one for low ports added."""
    if _is_windows(pod):
        return None
    undropped, adding, added = [], [], set()
    for container in containers_of(pod["spec"]):
        if "ALL" not in _capabilities(container, "drop"):
            undropped.append(container["name"])
        if extra := set(_capabilities(container, "add")) - {"NET_BIND_SERVICE"}:
            adding.append(container["name"])
            added |= extra
    details = []
    if undropped:
        details.append(f'{_containers(undropped)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        shown = ", ".join(f'"{one}"' for one in sorted(added))
        details.append(f"{_containers(adding)} must not include {shown} in securityContext.capabilities.add")
    return f"unrestricted capabilities ({'; '.join(details)})" if details else None


def run_as_non_root(pod: Object) -> str | None:
    """Not as root, said by the pod or by each container."""
    of_pod = (pod["spec"].get("securityContext") or {}).get("runAsNonRoot")
    false, unset = [], []
    for container in containers_of(pod["spec"]):
        says = _security(container).get("runAsNonRoot")
        if says is False:
            false.append(container["name"])
        elif says is None and not of_pod:
            unset.append(container["name"])
    details = []
    if of_pod is False and not unset:
        details.append("pod must not set securityContext.runAsNonRoot=false")
    if false:
        details.append(f"{_containers(false)} must not set securityContext.runAsNonRoot=false")
    if details:
        return f"runAsNonRoot != true ({', '.join(details)})"
    return (
        f"runAsNonRoot != true (pod or {_containers(unset)} must set securityContext.runAsNonRoot=true)"
        if unset
        else None
    )


def run_as_user(pod: Object) -> str | None:
    """Not as user 0."""
    bad = [who for who, security in _contexts(pod) if security.get("runAsUser") == 0]
    return f"runAsUser=0 ({' and '.join(bad)} must not set runAsUser=0)" if bad else None


def seccomp_restricted(pod: Object) -> str | None:
    """Seccomp on, said by the pod or by each container."""
    if _is_windows(pod):
        return None
    if found := seccomp_baseline(pod):
        return found
    if ((pod["spec"].get("securityContext") or {}).get("seccompProfile") or {}).get("type"):
        return None
    unset = [
        c["name"] for c in containers_of(pod["spec"]) if not (_security(c).get("seccompProfile") or {}).get("type")
    ]
    if not unset:
        return None
    return (
        f"seccompProfile (pod or {_containers(unset)} must set securityContext.seccompProfile.type to "
        '"RuntimeDefault" or "Localhost")'
    )


_SHARED: tuple[Check, ...] = (
    host_namespaces,
    privileged,
    host_path_volumes,
    host_ports,
    app_armor,
    selinux,
    proc_mount,
    sysctls,
    windows_host_process,
)
BASELINE: tuple[Check, ...] = (*_SHARED, capabilities_baseline, seccomp_baseline)
RESTRICTED: tuple[Check, ...] = (
    *_SHARED,
    allow_privilege_escalation,
    capabilities_restricted,
    restricted_volumes,
    run_as_non_root,
    run_as_user,
    seccomp_restricted,
)


def _contexts(pod: Object) -> Iterator[tuple[str, Object]]:
    """(who, security context) of the pod and of each container."""
    yield "pod", pod["spec"].get("securityContext") or {}
    for container in containers_of(pod["spec"]):
        yield f'container "{container["name"]}"', _security(container)


def _security(container: Object) -> dict[str, Any]:
    return container.get("securityContext") or {}


def _capabilities(container: Object, part: str) -> list[str]:
    return (_security(container).get("capabilities") or {}).get(part) or []


def _is_windows(pod: Object) -> bool:
    return bool((pod["spec"].get("os") or {}).get("name") == "windows")


def _containers(names: list[str]) -> str:
    return _many("container", names)


def _many(noun: str, names: list[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names)
    return f"{noun} {shown}" if len(names) == 1 else f"{noun}s {shown}"
