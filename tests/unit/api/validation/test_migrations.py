"""What is refused in migrations of stored objects, in upstream's words."""

from typing import Any

import pytest

from kubepy.api.validation.registry import rules_for

RULES = rules_for("storagemigration.k8s.io", "StorageVersionMigration")


def migration(resource: Any, status: Any = None) -> Any:
    return {"metadata": {"name": "x", "resourceVersion": "1"}, "spec": {"resource": resource}, "status": status or {}}


def told(faults: Any) -> list[str]:
    return [str(fault) for fault in faults]


def ended(*kinds: str, version: str = "5") -> Any:
    more = {"status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "R", "message": "m"}
    return {"resourceVersion": version, "conditions": [{"type": kind, **more} for kind in kinds]}


def shown(*kinds: str) -> str:
    each = '{{"type":"{}","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z","reason":"R","message":"m"}}'
    return f"[{','.join(each.format(kind) for kind in kinds)}]" if kinds else "null"


def test_what_is_migrated_is_named_and_stays() -> None:
    assert told(RULES.create(migration({}))) == [
        "spec.resource.resource: Required value: resource is required to be set"
    ]
    assert told(RULES.update(migration({"resource": "pods"}), migration({"group": "apps", "resource": "pods"}))) == [
        'spec: Invalid value: {"Resource":{"group":"","resource":"pods"}}: field is immutable'
    ]


@pytest.mark.parametrize(
    ("status", "before", "expected"),
    [
        (ended("Running"), {}, []),
        (ended("Succeeded"), ended("Running"), []),
        (ended(version="x"), {},
         ['status.resourceVersion: Invalid value: "x": resource version is not well formed: x']),
        (ended(version="6"), ended(), ['status.resourceVersion: Invalid value: "6": field is immutable']),
        (ended("Succeeded", "Failed"), {},
         [f"status.conditions: Invalid value: {shown('Succeeded', 'Failed')}: Both success and failed conditions "
          "cannot be true at the same time"]),
        (ended("Failed", "Running"), {},
         [f"status.conditions: Invalid value: {shown('Failed', 'Running')}: Running condition cannot be true when "
          "failed condition is true"]),
        (ended(), ended("Succeeded"),
         [f"status.conditions: Invalid value: {shown()}: Success condition cannot be set to false once it is true"]),
    ],
)  # fmt: skip
def test_a_migration_ends_once(status: Any, before: Any, expected: list[str]) -> None:
    resource = {"resource": "pods"}
    assert RULES.status is not None
    assert told(RULES.status(migration(resource, status), migration(resource, before))) == expected
