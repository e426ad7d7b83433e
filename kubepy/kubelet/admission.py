"""Refuse a pod that cannot run here, whoever bound it: the checks that the kubelet makes itself.

Pure. A refused pod fails with upstream's reason (OutOfcpu, NodeAffinity, NodePorts, ...) and is never started.
Source: pkg/kubelet/lifecycle/predicate.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubepy.api import pods, quantity
from kubepy.api.taints import is_tolerated
from kubepy.kubelet.podspec import every_container, is_critical, is_static

Object = dict[str, Any]


def admit(pod: Object, others: Sequence[Object], node: Object) -> tuple[str, str] | None:
    """(reason, message) of the refusal, or None. `others` are the pods that are to run here already."""
    checks = (_labels, _os, _taints, _ports, _resources)
    return next((refusal for check in checks if (refusal := check(pod, others, node)) is not None), None)


def _labels(pod: Object, others: Sequence[Object], node: Object) -> tuple[str, str] | None:
    labels = node.get("metadata", {}).get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    fits = all(labels.get(key) == value for key, value in selector.items())
    if fits and affinity and not is_static(pod):
        name = node.get("metadata", {}).get("name", "")
        fits = any(_term(term, labels, name) for term in affinity.get("nodeSelectorTerms") or [])
    return (
        None
        if fits
        else ("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")
    )


def _term(term: Object, labels: Mapping[str, str], name: str) -> bool:
    rules = [(r, labels.get(r["key"])) for r in term.get("matchExpressions") or []]
    rules += [(r, name) for r in term.get("matchFields") or []]
    return bool(rules) and all(_rule(rule, value) for rule, value in rules)


def _rule(rule: Object, value: str | None) -> bool:
    operator: str = rule["operator"]
    values: list[str] = rule.get("values") or []
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) == (operator == "Exists")
    if operator in ("In", "NotIn"):
        return (value in values) == (operator == "In")
    try:
        number, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound


def _os(pod: Object, others: Sequence[Object], node: Object) -> tuple[str, str] | None:
    name = (pod["spec"].get("os") or {}).get("name")
    if name and name != "linux":
        return "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"
    return None


def _taints(pod: Object, others: Sequence[Object], node: Object) -> tuple[str, str] | None:
    if is_static(pod):
        return None
    tolerations = pod["spec"].get("tolerations") or []
    for taint in (node.get("spec") or {}).get("taints") or []:
        if taint["effect"] == "NoExecute" and not is_tolerated(taint, tolerations):
            return "TaintToleration", "Predicate TaintToleration failed: node(s) had untolerated taint(s)"
    return None


def _host_ports(pod: Object) -> set[tuple[str, str, int]]:
    return {
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(port["hostPort"]))
        for container in every_container(pod)
        for port in container.get("ports") or []
        if port.get("hostPort")
    }


def _ports(pod: Object, others: Iterable[Object], node: Object) -> tuple[str, str] | None:
    wanted = _host_ports(pod)
    for other in others if wanted else ():
        for ip, protocol, port in _host_ports(other):
            for mine in wanted:
                clash = mine[1:] == (protocol, port) and (mine[0] == ip or "0.0.0.0" in (mine[0], ip))
                if clash:
                    return (
                        "NodePorts",
                        "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
                    )
    return None


def _resources(pod: Object, others: Sequence[Object], node: Object) -> tuple[str, str] | None:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    if "pods" in allocatable and len(others) + 1 > quantity.value(allocatable["pods"]):
        return "OutOfpods", _short("pods", 1, len(others), quantity.value(allocatable["pods"]))
    if is_critical(pod):
        return None
    wanted = pods.pod_requests(pod)
    used = [pods.pod_requests(other) for other in others]
    for name, amount in wanted.items():
        scale = 1000 if name == "cpu" else 1
        total = (
            int(quantity.milli(allocatable[name]) if name == "cpu" else quantity.value(allocatable[name]))
            if (name in allocatable)
            else 0
        )
        taken = sum(int(u.get(name, 0) * scale) for u in used)
        asked = int(amount * scale)
        if asked and taken + asked > total and (name in allocatable or "/" in name):
            return f"OutOf{name}", _short(name, asked, taken, total)
    return None


def _short(name: str, asked: int, used: int, total: int) -> str:
    return f"Node didn't have enough resource: {name}, requested: {asked}, used: {used}, capacity: {total}"
