"""The APIServices that this server keeps for what it serves itself. Pure.

Those of built-in groups are made at the start and then the user's; those of custom resources follow their
definitions for good. An APIService without the label is nobody's but the user's.
Source: kube-aggregator pkg/controllers/autoregister; kube-apiserver pkg/controlplane/controller/crdregistration.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.loops.api_services import AUTO, group_version_service

_ALWAYS, _ON_START = "true", "onstart"
_CUSTOM_PRIORITY = (1000, 100)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def custom_services(rows: Iterable[Resource]) -> dict[str, Object]:
    """The APIServices of custom resources, by name."""
    served = sorted({(row.group, row.version) for row in rows})
    found = [group_version_service(group, version, _CUSTOM_PRIORITY, managed=_ALWAYS) for group, version in served]
    return {service["metadata"]["name"]: service for service in found}


def plan(found: Iterable[Object], wanted: Mapping[str, Object], built_in: frozenset[str]) -> Plan:
    """How the APIServices that are there become those that are wanted; `built_in` names those made at the start."""
    plans = Plan()
    there = set()
    for service in found:
        name = service["metadata"]["name"]
        there.add(name)
        managed = (service["metadata"].get("labels") or {}).get(AUTO)
        if managed not in (_ALWAYS, _ON_START) or name in built_in:
            continue
        desired = wanted.get(name)
        if desired is None:
            plans.delete.append(service)
        elif service["spec"] != desired["spec"] or managed != _ALWAYS:
            labels = {**service["metadata"].get("labels", {}), AUTO: _ALWAYS}
            metadata = {**service["metadata"], "labels": labels}
            plans.update.append({**service, "metadata": metadata, "spec": desired["spec"]})
    plans.create.extend(service for name, service in wanted.items() if name not in there)
    return plans
