"""Selectors of requests and of access reviews say the same."""

from hypothesis import given
from hypothesis import strategies as st

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.node import NodeAuthorizer
from kubepy.apiserver.authz.reviews import request_of
from kubepy.apiserver.authz.selectors import field_requirements, field_text, label_requirements, label_text
from tests.unit.apiserver.conftest import Objects

NAMES = st.from_regex(r"\A[a-z]{1,5}\Z")
REQUIREMENT = st.one_of(
    st.fixed_dictionaries({"key": NAMES, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
    st.fixed_dictionaries(
        {
            "key": NAMES,
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(NAMES, min_size=1, max_size=3, unique=True).map(sorted),
        }
    ),
)


@given(st.lists(REQUIREMENT, max_size=4, unique_by=lambda one: one["key"]))
def test_label_requirements_come_back(requirements: list[dict[str, object]]) -> None:
    text = label_text({"labelSelector": {"requirements": requirements}})
    found = label_requirements(text)
    assert {one["key"]: one for one in found} == {one["key"]: one for one in requirements}


def test_field_selectors_come_back() -> None:
    text = "a!=b,spec.nodeName=n1"
    assert field_text({"fieldSelector": {"requirements": field_requirements(text)}}) == text
    assert field_text({"fieldSelector": {"rawSelector": text}}) == text
    many = {"key": "a", "operator": "In", "values": ["b", "c"]}
    assert field_text({"fieldSelector": {"requirements": [many]}}) == ""
    assert field_text({}) == ""
    assert label_requirements("a in (") == []


def test_a_review_asks_about_a_nodes_pods_as_its_kubelet_does(objects: Objects) -> None:
    node = UserInfo("system:node:n1", groups=("system:nodes",))

    def may(name: str) -> bool:
        requirement = {"key": "spec.nodeName", "operator": "In", "values": [name]}
        attributes = {"verb": "list", "resource": "pods", "fieldSelector": {"requirements": [requirement]}}
        return NodeAuthorizer(objects).authorize(node, request_of({"resourceAttributes": attributes})).allowed

    assert (may("n1"), may("n2")) == (True, False)


def test_a_node_is_not_shown_all_pods_by_a_selector_that_only_looks_like_its_own(objects: Objects) -> None:
    node = UserInfo("system:node:n1", groups=("system:nodes",))

    def may(selector: str) -> bool:
        attributes = {"verb": "list", "resource": "pods", "fieldSelector": {"rawSelector": selector}}
        return NodeAuthorizer(objects).authorize(node, request_of({"resourceAttributes": attributes})).allowed

    assert may("spec.nodeName==n1,status.phase!=Failed")
    assert not may("metadata.name!=x\\,spec.nodeName=n1")
    assert not may("spec.nodeName=n1\\")
    assert field_requirements("a!=x\\,b=c") == []
    assert field_requirements("a!=x\\,b\\=c") == [{"key": "a", "operator": "NotIn", "values": ["x,b=c"]}]
