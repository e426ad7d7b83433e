"""Objects as the loops see them, with what a test cares about."""

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER = "2025-12-31T00:00:00Z"
Object = dict[str, Any]


def pod(name: str, *, node: str = "n1", ready: bool = True, phase: str = "Running", **meta: Any) -> Object:
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": EARLIER}]
    number = sum(name.encode()) % 250
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": EARLIER, **meta},
        "spec": {"nodeName": node, "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": phase, "conditions": conditions, "podIP": f"10.244.0.{number}"},
    }


def replica_set(name: str, size: int, *, available: int | None = None, created: str = EARLIER, **meta: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": created, **meta},
        "spec": {"replicas": size, "template": {"metadata": {"labels": {"app": name}}, "spec": {}}},
        "status": {"replicas": size, "availableReplicas": size if available is None else available},
    }


def deployment(size: int, **strategy: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "uid-web", "generation": 1},
        "spec": {
            "replicas": size,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": strategy or {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
    }


def service(name: str = "web", **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.9", "ports": ports, **spec},
    }
