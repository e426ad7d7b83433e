"""The APIServices of what this server serves itself: one a group and version, always available.

Source: pkg/controlplane/apiserver/aggregator.go (DefaultGenericAPIServicePriorities), kube-aggregator autoregister.
"""

from collections.abc import Iterable, Mapping

from kubepy.api.meta import Object
from kubepy.api.resources import Resource

_PRIORITIES: Mapping[tuple[str, str], tuple[int, int]] = {
    ("", "v1"): (18000, 1),
    ("apps", "v1"): (17800, 15),
    ("events.k8s.io", "v1"): (17750, 15),
    ("authentication.k8s.io", "v1"): (17700, 15),
    ("authorization.k8s.io", "v1"): (17600, 15),
    ("autoscaling", "v1"): (17500, 15),
    ("autoscaling", "v2"): (17500, 30),
    ("batch", "v1"): (17400, 15),
    ("certificates.k8s.io", "v1"): (17300, 15),
    ("networking.k8s.io", "v1"): (17200, 15),
    ("policy", "v1"): (17100, 15),
    ("rbac.authorization.k8s.io", "v1"): (17000, 15),
    ("storage.k8s.io", "v1"): (16800, 15),
    ("apiextensions.k8s.io", "v1"): (16700, 15),
    ("admissionregistration.k8s.io", "v1"): (16700, 15),
    ("scheduling.k8s.io", "v1"): (16600, 15),
    ("coordination.k8s.io", "v1"): (16500, 15),
    ("node.k8s.io", "v1"): (16300, 15),
    ("discovery.k8s.io", "v1"): (16200, 15),
    ("flowcontrol.apiserver.k8s.io", "v1"): (16100, 21),
}
_OTHERS = (15000, 15)
_OWN_GROUP = "apiregistration.k8s.io"
AUTO = "kube-aggregator.kubernetes.io/automanaged"


def local_services(rows: Iterable[Resource]) -> list[Object]:
    """The APIServices of these rows; the group of the APIServices themselves has none."""
    served = sorted({(row.group, row.version) for row in rows if row.group != _OWN_GROUP})
    return [
        group_version_service(group, version, _PRIORITIES.get((group, version), _OTHERS), managed="onstart")
        for group, version in served
    ]


def group_version_service(group: str, version: str, priorities: tuple[int, int], *, managed: str) -> Object:
    """A local APIService; `priorities` are those of its group and of its version in the group."""
    return {
        "apiVersion": f"{_OWN_GROUP}/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}", "labels": {AUTO: managed}},
        "spec": {
            "version": version,
            "groupPriorityMinimum": priorities[0],
            "versionPriority": priorities[1],
            **({"group": group} if group else {}),
        },
    }


def available(created: str) -> Object:
    """The condition of a local APIService."""
    return {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": created,
        "reason": "Local",
        "message": "Local APIServices are always available",
    }
