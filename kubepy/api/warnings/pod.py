"""Warnings about pods and about the templates of pods.

Source: pkg/api/pod/warnings.go.
"""

from collections.abc import Iterator
from typing import Any

from kubepy.api import quantity
from kubepy.api.meta import Object
from kubepy.api.validation.security import containers_with_paths
from kubepy.api.warnings.claims import warn_of_claim_spec
from kubepy.api.warnings.labels import DEPRECATED, warn_of_address, warn_of_addresses, warn_of_term
from kubepy.api.warnings.overlaps import warn_of_overlaps

_SYSCTLS = 'non-functional in v1.11+; use the "sysctls" field instead'
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": _SYSCTLS,
    "security.alpha.kubernetes.io/unsafe-sysctls": _SYSCTLS,
}
VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_SHOWN_AS = {"storageos": "storageOS"}
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_FIELD = "appArmorProfile"
_USE_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_USE_APPARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_NO_SELECTOR = "a null labelSelector results in matching no pod"
_BYTES = ("memory", "ephemeral-storage")


def warn_of_pod(pod: Object) -> list[str]:
    """Of a new pod."""
    return list(_warn(pod, "", is_template=False))


def warn_of_template(template: Object | None, path: str) -> list[str]:
    """Of a template of pods at `path`."""
    return list(_warn(template, f"{path}.", is_template=True)) if template else []


def _warn(pod: Object, prefix: str, *, is_template: bool) -> Iterator[str]:
    spec, meta = pod.get("spec") or {}, pod.get("metadata") or {}
    path = f"{prefix}spec"
    annotations = meta.get("annotations") or {}
    if spec.get("nodeSelector") or spec.get("affinity"):
        yield from _placement(spec, path)
    yield from _spread(spec, path)
    for key, why in _ANNOTATIONS.items() if annotations else ():
        if key in annotations:
            yield f"{prefix}metadata.annotations[{key}]: {why}"
    if spec.get("volumes"):
        yield from _volumes(spec["volumes"], path)
    yield from _duplicates(spec, path)
    yield from _fractions({"overhead": spec.get("overhead")}, path)
    security = spec.get("securityContext") or {}
    if _SECCOMP_POD in annotations and not security.get("seccompProfile"):
        yield f"{prefix}metadata.annotations[{_SECCOMP_POD}]: {_USE_SECCOMP}"
    containers = containers_with_paths(spec, path)
    for at, container in containers:
        if annotations:
            own = {**security, **(container.get("securityContext") or {})}
            seccomp = (container.get("securityContext") or {}).get("seccompProfile")
            told = _profiles(
                container.get("name") or "", annotations, bool(seccomp), is_template and not own.get(_FIELD)
            )
            yield from (f"{prefix}metadata.annotations{text}" for text in told)
        if resources := container.get("resources"):
            yield from _fractions(resources, f"{at}.resources")
        yield from _environment(container.get("env") or (), at)
    yield from _ports(containers)
    yield from _port_names(containers)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        yield (
            f"{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        )
    yield from _affinity(spec.get("affinity") or {}, path)
    nameservers = (spec.get("dnsConfig") or {}).get("nameservers") or ()
    yield from warn_of_addresses(nameservers, f"{path}.dnsConfig.nameservers")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        yield from warn_of_address(alias.get("ip") or "", f"{path}.hostAliases[{index}].ip")


def _placement(spec: Object, path: str) -> Iterator[str]:
    for key in spec.get("nodeSelector") or ():
        if key in DEPRECATED:
            yield f"{path}.nodeSelector[{key}]: {DEPRECATED[key]}"
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    for index, term in enumerate((node.get(required) or {}).get("nodeSelectorTerms") or ()):
        yield from warn_of_term(term, f"{path}.affinity.nodeAffinity.{required}.nodeSelectorTerms[{index}]")
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    for index, term in enumerate(node.get(preferred) or ()):
        at = f"{path}.affinity.nodeAffinity.{preferred}[{index}].preference"
        yield from warn_of_term(term.get("preference") or {}, at, check_values=True)


def _spread(spec: Object, path: str) -> Iterator[str]:
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        at, key = f"{path}.topologySpreadConstraints[{index}]", constraint.get("topologyKey") or ""
        if key in DEPRECATED:
            yield f"{at}.topologyKey: {key} is {DEPRECATED[key]}"
        if constraint.get("labelSelector") is None:
            yield f"{at}.labelSelector: {_NO_SELECTOR}"


def _volumes(volumes: list[Object], path: str) -> Iterator[str]:
    for index, volume in enumerate(volumes):
        at = f"{path}.volumes[{index}]"
        for kind in VOLUMES.keys() & volume.keys():
            yield f"{at}.{_SHOWN_AS.get(kind, kind)}: {VOLUMES[kind]}"
        if template := (volume.get("ephemeral") or {}).get("volumeClaimTemplate"):
            yield from warn_of_claim_spec(template.get("spec") or {}, f"{at}.ephemeral.volumeClaimTemplate.spec")
    yield from warn_of_overlaps(volumes)


def _duplicates(spec: Object, path: str) -> Iterator[str]:
    for field, key, noun in (("hostAliases", "ip", "ip"), ("imagePullSecrets", "name", "name")):
        seen: set[str] = set()
        for index, item in enumerate(spec.get(field) or ()):
            value = item.get(key) or ""
            if value in seen:
                yield f'{path}.{field}[{index}].{key}: duplicate {noun} "{value}"'
            seen.add(value)
    for index, item in enumerate(spec.get("imagePullSecrets") or ()):
        if not item.get("name"):
            yield f'{path}.imagePullSecrets[{index}].name: invalid empty name ""'


def _fractions(holder: Any, path: str) -> Iterator[str]:
    """Of sizes that are no whole bytes."""
    for name in _BYTES:
        for part in ("overhead", "limits", "requests"):
            text = (holder.get(part) or {}).get(name)
            if text is not None and quantity.milli(text) % 1000:
                shown = quantity.canonical(text)
                yield f'{path}.{part}[{name}]: fractional byte value "{shown}" is invalid, must be an integer'


def _profiles(name: str, annotations: Object, has_seccomp: bool, lacks_apparmor: bool) -> Iterator[str]:
    if _SECCOMP + name in annotations and not has_seccomp:
        yield f"[{_SECCOMP}{name}]: {_USE_SECCOMP}"
    if lacks_apparmor and _APPARMOR + name in annotations:
        yield f"[{_APPARMOR}{name}]: {_USE_APPARMOR}"


def _environment(variables: Any, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name = variable.get("name") or ""
        if name in seen:
            reference, value = f"$({name})", variable.get("value") or ""
            if variable.get("valueFrom") is not None or value == reference or reference not in value:
                yield (
                    f'{path}.env[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
                )
        seen.add(name)


def _ports(containers: list[tuple[str, Object]]) -> Iterator[str]:
    known: dict[tuple[Any, str], list[tuple[str, str, int]]] = {}
    for path, container in containers:
        for index, port in enumerate(container.get("ports") or ()):
            at, address, host = f"{path}.ports[{index}]", port.get("hostIP") or "", port.get("hostPort") or 0
            protocol = port.get("protocol") or "TCP"
            if address and not host:
                yield (
                    f"{at}: hostIP set without hostPort: {{Name:{port.get('name') or ''} HostPort:0 "
                    f"ContainerPort:{port.get('containerPort') or 0} Protocol:{protocol} HostIP:{address}}}"
                )
            others = known.setdefault((port.get("containerPort"), protocol), [])
            for other, its_address, its_host in others:
                if (address, host) == (its_address, its_host):
                    yield f"{at}: duplicate port definition with {other}"
                elif not host or not its_host:
                    yield f"{at}: overlapping port definition with {other}"
                elif host == its_host and bool(address) != bool(its_address):
                    yield f"{at}: dangerously ambiguous port definition with {other}"
            others.append((at, address, host))


def _port_names(containers: list[tuple[str, Object]]) -> Iterator[str]:
    known: dict[str, str] = {}
    for path, container in containers:
        for index, port in enumerate(container.get("ports") or ()):
            if not (name := port.get("name")):
                continue
            first = known.setdefault(name, f"{path}.ports[{index}]")
            if first != f"{path}.ports[{index}]":
                yield (
                    f'{path}.ports[{index}]: duplicate port name "{name}" with {first}, services and probes that '
                    f"select ports by name will use {first}"
                )


def _affinity(affinity: Object, path: str) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity") if affinity else ():
        rules = affinity.get(kind) or {}
        required, preferred = (f"{when}DuringSchedulingIgnoredDuringExecution" for when in ("required", "preferred"))
        for index, term in enumerate(rules.get(required) or ()):
            if term.get("labelSelector") is None:
                yield f"{path}.affinity.{kind}.{required}[{index}].labelSelector: {_NO_SELECTOR}"
        for index, weighted in enumerate(rules.get(preferred) or ()):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                yield f"{path}.affinity.{kind}.{preferred}[{index}].podAffinityTerm.labelSelector: {_NO_SELECTOR}"
