"""Who is told what of the pod security standards: audit, metrics, and whoever labels a namespace that is exempt."""

import asyncio
import contextlib
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from kubepy.api import resources
from kubepy.api.errors import ApiError
from kubepy.apiserver.admission.attributes import ANNOTATIONS, Attributes
from kubepy.apiserver.admission.pod_security.metrics import PodSecurityMetrics
from kubepy.apiserver.admission.pod_security.plugin import PodSecurity
from kubepy.apiserver.admission.pod_security.policy import PREFIX, Settings
from kubepy.apiserver.authn.user import UserInfo

Object = dict[str, Any]
POD: Object = {"metadata": {"name": "web", "namespace": "team"}, "spec": {"containers": [{"name": "c"}]}}


def namespace(**labels: str) -> Object:
    marked = {f"{PREFIX}{mode}": value for mode, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": marked}}


def write(plural: str, obj: Object, old: Object | None = None, group: str = "") -> Attributes:
    operation = "UPDATE" if old else "CREATE"
    meta = obj["metadata"]
    where = meta.get("namespace", "")
    resource = resources.named(plural, group)
    return Attributes(operation, resource, "", where, meta["name"], obj, old, UserInfo("alice"), scratch={})


def told(plugin: PodSecurity, attributes: Attributes) -> Object:
    """The annotations of a write, refused or not."""
    with contextlib.suppress(ApiError):
        asyncio.run(plugin.validate(attributes))
    assert attributes.scratch is not None
    return {key.removeprefix(PREFIX): value for key, value in attributes.scratch.get(ANNOTATIONS, {}).items()}


def test_evaluations_are_counted_by_standard_and_mode(objects: Any) -> None:
    registry = CollectorRegistry()
    plugin = PodSecurity(
        objects.put(namespace(enforce="baseline", audit="restricted", warn="restricted")),
        metrics=PodSecurityMetrics(registry),
    )
    assert set(told(plugin, write("pods", POD))) == {"enforce-policy", "audit-violations"}
    deployment = {"metadata": POD["metadata"], "spec": {"template": POD}}
    assert set(told(plugin, write("deployments", deployment, group="apps"))) == {"audit-violations"}
    lines = generate_latest(registry).decode()
    for decision, level, mode, resource in (
        ("allow", "baseline", "enforce", "pod"),
        ("deny", "restricted", "audit", "pod"),
        ("deny", "restricted", "warn", "pod"),
        ("deny", "restricted", "audit", "controller"),
    ):
        assert (
            f'pod_security_evaluations_total{{decision="{decision}",mode="{mode}",policy_level="{level}",'
            f'policy_version="latest",request_operation="create",resource="{resource}",subresource=""}} 1.0'
        ) in lines


def test_labels_that_mean_nothing_are_told_to_the_audit_log(objects: Any) -> None:
    annotations = told(PodSecurity(objects.put(namespace(enforce="strict"))), write("pods", POD))
    assert annotations["error"].startswith(
        "Failed to parse policy: metadata.labels[pod-security.kubernetes.io/enforce]"
    )
    assert annotations["enforce-policy"] == "restricted:latest"


def test_where_nothing_is_asked_only_pods_are_told_of(objects: Any) -> None:
    plugin = PodSecurity(objects.put(namespace()))
    assert told(plugin, write("pods", POD)) == {"enforce-policy": "privileged:latest"}
    assert told(plugin, write("replicasets", {"metadata": POD["metadata"], "spec": {}}, group="apps")) == {}


def test_who_labels_a_namespace_that_is_exempt_is_warned(objects: Any) -> None:
    plugin = PodSecurity(objects, Settings(namespaces=frozenset(("team",))))
    for attributes in (
        write("namespaces", namespace(enforce="baseline", warn="restricted")),
        write("namespaces", namespace(enforce="baseline", warn="restricted"), namespace()),
    ):
        told(plugin, attributes)
        assert attributes.warnings == [
            'namespace "team" is exempt from Pod Security, and the policy (enforce=baseline:latest, '
            "warn=restricted:latest) will be ignored"
        ]
