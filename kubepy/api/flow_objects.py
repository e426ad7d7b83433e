"""The FlowSchemas and priority levels that every cluster has: two of each are mandatory, the others suggested.

Source: apiserver pkg/apis/flowcontrol/bootstrap/default.go; KEP-1040.
"""

from typing import Any, Final

Object = dict[str, Any]
API_VERSION: Final = "flowcontrol.apiserver.k8s.io/v1"
AUTO_UPDATE: Final = "apf.kubernetes.io/autoupdate-spec"
EXEMPT: Final = "exempt"
CATCH_ALL: Final = "catch-all"
MANDATORY: Final = frozenset((EXEMPT, CATCH_ALL))

_READ_WRITE = ("get", "create", "update")
_EVERYONE = ("system:unauthenticated", "system:authenticated")
_LEASES = ("coordination.k8s.io", ("leases",))

# name: shares, lendable percent, (queues, hand size, queue length)
_LEVELS: Final = {
    "system": (30, 33, (64, 6, 50)),
    "node-high": (40, 25, (64, 6, 50)),
    "leader-election": (10, 0, (16, 4, 50)),
    "workload-high": (40, 50, (128, 6, 50)),
    "workload-low": (100, 90, (128, 6, 50)),
    "global-default": (20, 50, (128, 6, 50)),
}


def priority_levels() -> list[Object]:
    """Every level, as upstream's own objects read once they are defaulted."""
    exempt = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}
    found = [
        _made("PriorityLevelConfiguration", EXEMPT, exempt),
        _made("PriorityLevelConfiguration", CATCH_ALL, _limited(5, 0, {"type": "Reject"})),
    ]
    for name, (shares, lendable, (queues, hand, length)) in _LEVELS.items():
        queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": length}
        spec = _limited(shares, lendable, {"type": "Queue", "queuing": queuing})
        found.append(_made("PriorityLevelConfiguration", name, spec))
    return found


def flow_schemas() -> list[Object]:
    """Every schema, in the order in which they are tried."""
    system_accounts = _accounts("*")
    managers = [_subject("User", f"system:kube-{who}") for who in ("controller-manager", "scheduler")]
    nodes = _groups("system:nodes")
    endpoints = _accounts("endpoint-controller", "endpointslicemirroring-controller")
    probes = {
        "subjects": _groups(*_EVERYONE),
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
    }
    elections = [_rule("", ("endpoints", "configmaps"), _READ_WRITE), _rule(*_LEASES, _READ_WRITE)]
    status = [_rule("", ("nodes", "nodes/status"), cluster=True), _rule(*_LEASES)]
    return [
        _schema(EXEMPT, EXEMPT, 1, "", _everything(_groups("system:masters"))),
        _schema("probes", EXEMPT, 2, "", probes),
        _schema(
            "system-leader-election",
            "leader-election",
            100,
            "ByUser",
            {"subjects": managers + system_accounts, "resourceRules": [_rule(*_LEASES, _READ_WRITE)]},
        ),
        _schema(
            "endpoint-controller",
            "workload-high",
            150,
            "ByUser",
            {"subjects": managers[:1] + endpoints, "resourceRules": [_rule("", ("endpoints",), _READ_WRITE)]},
        ),
        _schema(
            "workload-leader-election",
            "leader-election",
            200,
            "ByUser",
            {"subjects": system_accounts, "resourceRules": elections},
        ),
        _schema("system-node-high", "node-high", 400, "ByUser", {"subjects": nodes, "resourceRules": status}),
        _schema("system-nodes", "system", 500, "ByUser", _everything(nodes)),
        _schema("kube-controller-manager", "workload-high", 800, "ByNamespace", _everything(managers[:1])),
        _schema("kube-scheduler", "workload-high", 800, "ByNamespace", _everything(managers[1:])),
        _schema("kube-system-service-accounts", "workload-high", 900, "ByNamespace", _everything(system_accounts)),
        _schema("service-accounts", "workload-low", 9000, "ByUser", _everything(_groups("system:serviceaccounts"))),
        _schema("global-default", "global-default", 9900, "ByUser", _everything(_groups(*_EVERYONE))),
        _schema(CATCH_ALL, CATCH_ALL, 10000, "ByUser", _everything(_groups(*_EVERYONE))),
    ]


def _made(kind: str, name: str, spec: Object) -> Object:
    metadata = {"name": name, "annotations": {AUTO_UPDATE: "true"}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _limited(shares: int, lendable: int, response: Object) -> Object:
    limited = {"nominalConcurrencyShares": shares, "lendablePercent": lendable, "limitResponse": response}
    return {"type": "Limited", "limited": limited}


def _schema(name: str, level: str, precedence: int, method: str, rule: Object) -> Object:
    spec: Object = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": [rule]}
    if method:
        spec["distinguisherMethod"] = {"type": method}
    return _made("FlowSchema", name, spec)


def _everything(subjects: list[Object]) -> Object:
    rule = _rule("*", ("*",), cluster=True)
    return {
        "subjects": subjects,
        "resourceRules": [rule],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }


def _rule(group: str, resources: tuple[str, ...], verbs: tuple[str, ...] = ("*",), *, cluster: bool = False) -> Object:
    rule: Object = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources), "namespaces": ["*"]}
    if cluster:
        rule["clusterScope"] = True
    return rule


def _subject(kind: str, name: str) -> Object:
    return {"kind": kind, kind.lower(): {"name": name}}


def _groups(*names: str) -> list[Object]:
    return [_subject("Group", name) for name in names]


def _accounts(*names: str) -> list[Object]:
    return [{"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": name}} for name in names]
