"""Finds the validation rules of a kind: the merged RULES tables of all modules of this package.

Every built-in kind that is stored has Rules; a kind of an unknown group (a custom resource) has none here.
Source: the strategies below pkg/registry and pkg/apis/*/validation of Kubernetes.
"""

from kubepy.api.validation import (
    apiservice,
    apps,
    autoscaling,
    batch,
    cluster,
    discovery,
    events,
    network,
    policy,
    rbac,
    reviews,
    storage,
)
from kubepy.api.validation.rules import Rules

__all__ = ["Rules", "rules_for"]

_TABLES: tuple[dict[tuple[str, str], Rules], ...] = (
    apiservice.RULES,
    apps.RULES,
    autoscaling.RULES,
    batch.RULES,
    cluster.RULES,
    discovery.RULES,
    events.RULES,
    network.RULES,
    policy.RULES,
    rbac.RULES,
    reviews.RULES,
    storage.RULES,
)

_RULES: dict[tuple[str, str], Rules] = {key: rules for table in _TABLES for key, rules in table.items()}


def rules_for(group: str, kind: str) -> Rules:
    """The rules of a built-in kind. Raises KeyError for any other."""
    return _RULES[group, kind]
