"""Finds the validation rules of a kind: the merged RULES tables of all modules of this package.

Every built-in kind that is stored has Rules; a kind of an unknown group (a custom resource) has none here.
Source: the strategies below pkg/registry and pkg/apis/*/validation of Kubernetes.
"""

from kubepy.api.validation import (
    admission,
    admission_policies,
    apiservice,
    apps,
    autoscaling,
    batch,
    certificates,
    claims,
    cluster,
    config,
    core,
    core_events,
    crd,
    device_slices,
    devices,
    discovery,
    events,
    flowcontrol,
    migrations,
    network,
    node,
    persistent_volumes,
    pod_update,
    policy,
    quota,
    rbac,
    reviews,
    service,
    storage,
)
from kubepy.api.validation.rules import Rules

__all__ = ["Rules", "rules_for"]

_MODULES = (
    admission, admission_policies, apiservice, apps, autoscaling, batch, certificates, claims, cluster, config, core,
    core_events, crd, device_slices, devices, discovery, events, flowcontrol, migrations, network, node,
    persistent_volumes, pod_update, policy, quota, rbac, reviews, service, storage,
)  # fmt: skip

_RULES: dict[tuple[str, str], Rules] = {key: rules for module in _MODULES for key, rules in module.RULES.items()}


def rules_for(group: str, kind: str) -> Rules:
    """The rules of a built-in kind. Raises KeyError for any other."""
    return _RULES[group, kind]
