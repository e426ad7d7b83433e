"""Who may write what into the status of a ResourceClaim."""

import asyncio
from typing import Any

import pytest

from kubepy.api import resources
from kubepy.api.errors import Invalid
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.claim_status import ClaimStatusAuthorization, allocated_node
from kubepy.apiserver.authn.user import NODE_NAME, UserInfo
from kubepy.apiserver.authz.chain import build_authorization

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io/v1"
CLAIMS = resources.named("resourceclaims", "resource.k8s.io")
BOB = UserInfo("bob")
DRIVER = UserInfo("system:serviceaccount:default:driver", extra={NODE_NAME: ("n1",)})


def on_node(name: str) -> Object:
    return {
        "nodeSelector": {
            "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}]
        }
    }


def device(driver: str, **more: Any) -> Object:
    return {"driver": driver, "pool": "p", "device": "d", **more}


def granted(objects: Any, verbs: str, subresource: str, *names: str) -> ClaimStatusAuthorization:
    """The guard where everybody here may do that."""
    rule: Object = {
        "verbs": verbs.split(),
        "apiGroups": ["resource.k8s.io"],
        "resources": [f"resourceclaims/{subresource}"],
        "resourceNames": list(names),
    }
    subjects = [{"kind": "User", "name": user.name} for user in (BOB, DRIVER)]
    objects.put(
        {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [rule]},
        {
            "apiVersion": RBAC,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "r"},
            "subjects": subjects,
        },
    )
    return ClaimStatusAuthorization(build_authorization(["RBAC"], objects))


def write(
    plugin: ClaimStatusAuthorization,
    new: Object,
    old: Object | None = None,
    *,
    user: UserInfo = BOB,
    verb: str = "update",
) -> None:
    meta = {"name": "c", "namespace": "default"}
    attributes = Attributes(
        "UPDATE",
        CLAIMS,
        "status",
        "default",
        "c",
        {"metadata": meta, "status": new},
        {"metadata": meta, "status": old or {}},
        user,
        verb=verb,
    )
    asyncio.run(plugin.validate(attributes))


@pytest.mark.parametrize("status", [{"allocation": on_node("n1")}, {"reservedFor": [{"uid": "u"}]}])
def test_to_bind_a_claim_takes_more_than_to_write_its_status(objects: Any, status: Object) -> None:
    plugin = granted(objects, "patch", "binding")
    write(plugin, status, verb="patch")
    write(plugin, status, status)
    with pytest.raises(Invalid) as caught:
        write(plugin, status)
    assert caught.value.message == (
        'ResourceClaim.resource.k8s.io "c" is invalid: status: Forbidden: changing status.allocation or '
        'status.reservedFor requires resource="resourceclaims/binding", verb="update" permission: '
        'resourceclaims.resource.k8s.io is forbidden: User "bob" cannot update resource "resourceclaims/binding" '
        'in API group "resource.k8s.io" at the cluster scope'
    )


def test_a_driver_tells_of_its_own_devices(objects: Any) -> None:
    plugin = granted(objects, "arbitrary-node:update", "driver", "a.example")
    both = {"devices": [device("a.example"), device("b.example")]}
    write(plugin, {"devices": [device("a.example")]})
    write(plugin, {"devices": [device("a.example", data={}), device("b.example")]}, both)
    for changed in (
        {"devices": [device("a.example")]},
        {"devices": [device("a.example"), device("b.example", data={})]},
    ):
        with pytest.raises(Invalid) as caught:
            write(plugin, changed, both)
        assert (
            'verb="[arbitrary-node:update]" permission: resourceclaims.resource.k8s.io "b.example" is forbidden: '
            in (caught.value.message)
        )


def test_on_the_claims_own_node_a_driver_needs_less(objects: Any) -> None:
    plugin = granted(objects, "associated-node:update", "driver", "a.example")

    def tell(node: str, user: UserInfo) -> None:
        bound = {"allocation": on_node(node)}
        write(plugin, {**bound, "devices": [device("a.example")]}, bound, user=user)

    tell("n1", DRIVER)
    for node, user in (("n2", DRIVER), ("n1", BOB)):
        with pytest.raises(Invalid, match="resourceclaims/driver"):
            tell(node, user)


@pytest.mark.parametrize(
    ("terms", "node"),
    [
        ([], ""),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}], "a"),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a", "b"]}]}], ""),
        ([{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["a"]}]}], ""),
        ([{"matchExpressions": [{"key": "x"}]}], ""),
        ([{}, {}], ""),
    ],
)
def test_a_claim_is_on_a_node_if_it_can_be_nowhere_else(terms: list[Object], node: str) -> None:
    assert allocated_node({"nodeSelector": {"nodeSelectorTerms": terms}}) == node
