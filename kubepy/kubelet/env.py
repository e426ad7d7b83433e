"""The environment of a container: services of its namespace, envFrom, env with its references.

Pure: objects that it refers to come in as functions, which answer None for what does not exist.
Order as upstream's: later ones win, and a value may refer to what was defined before it.
Source: pkg/kubelet/kubelet_pods.go makeEnvironmentVariables; pkg/kubelet/envvars.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubepy.kubelet.downward import PodFacts, field_value, resource_value
from kubepy.kubelet.expansion import expand
from kubepy.kubelet.podspec import every_container

Object = dict[str, Any]
Lookup = Callable[[str, str, str], Object | None]
"""(plural, namespace, name) -> the object or None"""

MASTER_SERVICE = "kubernetes"


class EnvironmentFault(Exception):
    """A reference cannot be resolved: the container waits with CreateContainerConfigError."""


def environment(
    pod: Object, container: Object, services: Iterable[Object], lookup: Lookup, facts: PodFacts
) -> list[tuple[str, str]]:
    """(name, value) in order of first definition. Raises EnvironmentFault."""
    namespace = pod["metadata"]["namespace"]
    links = pod["spec"].get("enableServiceLinks")
    served = service_variables(services, namespace, links=links is None or bool(links))
    made: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        made.update(_from_source(namespace, source, lookup))
    defined: dict[str, str] = {}
    for entry in container.get("env") or []:
        value = _value(pod, container, entry, lookup, facts, {**served, **made, **defined})
        if value is not None:
            defined[entry["name"]] = value
    # what the pod says goes before what the services say
    made = {**made, **defined}
    return list({**{k: v for k, v in served.items() if k not in made}, **made}.items())


def _from_source(namespace: str, source: Object, lookup: Lookup) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for field, plural, kind in (("configMapRef", "configmaps", "configmap"), ("secretRef", "secrets", "secret")):
        if reference := source.get(field):
            found = lookup(plural, namespace, reference["name"])
            if found is None:
                if reference.get("optional"):
                    return {}
                raise EnvironmentFault(f'{kind} "{reference["name"]}" not found')
            return {prefix + key: value for key, value in texts(found).items()}
    return {}


def texts(obj: Object) -> dict[str, str]:
    """The entries of a ConfigMap or Secret as text."""
    if obj.get("kind") == "Secret" or "type" in obj:
        return {k: base64.b64decode(v).decode(errors="replace") for k, v in (obj.get("data") or {}).items()}
    return dict(obj.get("data") or {})


def _value(  # the parts of one entry's meaning
    pod: Object, container: Object, entry: Object, lookup: Lookup, facts: PodFacts, before: Mapping[str, str]
) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value") or "", before)
    if reference := source.get("fieldRef"):
        try:
            return field_value(pod, reference["fieldPath"], facts)
        except KeyError as error:
            raise EnvironmentFault(f"unsupported fieldPath: {reference['fieldPath']}") from error
    if reference := source.get("resourceFieldRef"):
        name = reference.get("containerName")
        target = next((c for c in every_container(pod) if c["name"] == name), container) if name else container
        return resource_value(target, reference, facts)
    for field, plural, kind in (("configMapKeyRef", "configmaps", "configmap"), ("secretKeyRef", "secrets", "secret")):
        if reference := source.get(field):
            return _key(pod["metadata"]["namespace"], reference, (plural, kind), lookup)
    raise EnvironmentFault(f'environment variable "{entry["name"]}" has a source that this kubelet does not support')


def _key(namespace: str, reference: Object, what: tuple[str, str], lookup: Lookup) -> str | None:
    plural, kind = what
    found = lookup(plural, namespace, reference["name"])
    if found is None:
        if reference.get("optional"):
            return None
        raise EnvironmentFault(f'{kind} "{reference["name"]}" not found')
    entries = texts(found)
    if reference["key"] not in entries:
        if reference.get("optional"):
            return None
        shown = "ConfigMap" if kind == "configmap" else "Secret"
        raise EnvironmentFault(f"couldn't find key {reference['key']} in {shown} {namespace}/{reference['name']}")
    return entries[reference["key"]]


def service_variables(services: Iterable[Object], namespace: str, *, links: bool) -> dict[str, str]:
    """Docker-style variables of each service that has a cluster address; `kubernetes` is always told."""
    chosen: dict[str, Object] = {}
    for service in services:
        meta = service["metadata"]
        ip = service["spec"].get("clusterIP")
        if not ip or ip == "None":
            continue
        if meta["namespace"] == "default" and meta["name"] == MASTER_SERVICE:
            chosen.setdefault(meta["name"], service)
        elif links and meta["namespace"] == namespace:
            chosen[meta["name"]] = service
    made: dict[str, str] = {}
    for name in sorted(chosen):
        made.update(_service(name, chosen[name]))
    return made


def _service(name: str, service: Object) -> dict[str, str]:
    prefix = name.upper().replace("-", "_")
    ip = service["spec"]["clusterIP"]
    ports = service["spec"].get("ports") or []
    if not ports:
        return {}
    shown = f"[{ip}]" if ":" in ip else ip
    made = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            made[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    first = ports[0]
    made[f"{prefix}_PORT"] = f"{first.get('protocol', 'TCP').lower()}://{shown}:{first['port']}"
    for port in ports:
        protocol = port.get("protocol", "TCP")
        stem = f"{prefix}_PORT_{port['port']}_{protocol}"
        made[stem] = f"{protocol.lower()}://{shown}:{port['port']}"
        made[f"{stem}_PROTO"] = protocol.lower()
        made[f"{stem}_PORT"] = str(port["port"])
        made[f"{stem}_ADDR"] = ip
    return made
