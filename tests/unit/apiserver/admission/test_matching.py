"""Which writes rules, selectors and equivalent resources pick; what webhooks are asked and how their words are read."""

import base64
from typing import Any

import pytest

from kubepy.api import resources
from kubepy.api.errors import NotFound
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes, Reinvocation
from kubepy.apiserver.admission.kinds import kind_of
from kubepy.apiserver.admission.matching import Place, criteria_of, is_exempt, rule_of
from kubepy.apiserver.admission.reinvoking import Round
from kubepy.apiserver.admission.reviewing import BadReview, Unreadable, denial, review_of, verdict_of
from kubepy.apiserver.admission.webhooks.hooks import HookIndex, hooks_of
from kubepy.apiserver.authn.user import UserInfo
from tests.unit.apiserver.conftest import Objects, OneVersion

Object = dict[str, Any]
PODS, NODES, SPACES = (resources.named(name) for name in ("pods", "nodes", "namespaces"))
DEPLOYMENTS = resources.named("deployments", "apps")
V2 = resources.named("horizontalpodautoscalers", "autoscaling")
V1 = resources.by_plural("autoscaling", "v1", "horizontalpodautoscalers")
CONFIGURATIONS = resources.named("validatingwebhookconfigurations", "admissionregistration.k8s.io")


class TwoVersions(OneVersion):
    def equivalents(self, resource: Resource) -> list[Resource]:
        return [V1] if resource is V2 and V1 is not None else []


def rule(**more: Any) -> Object:
    anything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "scope": "*"}
    return {**anything, **more}


def write(obj: Object | None, old: Object | None = None, resource: Resource = PODS, **more: Any) -> Attributes:
    operation = "DELETE" if obj is None else "CREATE" if old is None else "UPDATE"
    meta = (obj or old or {})["metadata"]
    return Attributes(
        operation,
        resource,
        "",
        meta.get("namespace", ""),
        meta["name"],
        obj,
        old,
        UserInfo("alice", "1", ("dev",)),
        **more,
    )


def labelled(name: str = "p", namespace: str = "default", **labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels}}


@pytest.mark.parametrize(
    ("spec", "operation", "resource", "subresource", "expected"),
    [
        ({}, "CREATE", PODS, "", True),
        ({}, "CREATE", PODS, "status", False),
        ({"resources": ["pods/*"]}, "CREATE", PODS, "", True),
        ({"resources": ["pods/*"]}, "UPDATE", PODS, "status", True),
        ({"resources": ["*/status"]}, "UPDATE", PODS, "status", True),
        ({"resources": ["*/status"]}, "UPDATE", PODS, "", False),
        ({"resources": ["*/*"]}, "CONNECT", PODS, "exec", True),
        ({"resources": ["nodes"]}, "CREATE", PODS, "", False),
        ({"operations": ["DELETE"]}, "CREATE", PODS, "", False),
        ({"apiGroups": [""]}, "CREATE", DEPLOYMENTS, "", False),
        ({"apiGroups": ["apps"], "apiVersions": ["v1beta1"]}, "CREATE", DEPLOYMENTS, "", False),
        ({"scope": "Namespaced"}, "CREATE", PODS, "", True),
        ({"scope": "Namespaced"}, "CREATE", NODES, "", False),
        ({"scope": "Cluster"}, "CREATE", SPACES, "", True),
        ({"scope": "Cluster"}, "CREATE", PODS, "", False),
    ],
)
def test_what_a_rule_covers(spec: Object, operation: str, resource: Resource, subresource: str, expected: bool) -> None:
    assert rule_of(rule(**spec)).covers(operation, resource, subresource) is expected


def test_an_equivalent_resource_is_taken_where_none_is_named_directly() -> None:
    old, kinds = rule(apiVersions=["v1"], resources=["horizontalpodautoscalers"]), TwoVersions()
    assert criteria_of({"rules": [old]}).place("CREATE", V2, "", kinds) == Place(V1)  # type: ignore[arg-type]
    assert criteria_of({"rules": [old], "matchPolicy": "Exact"}).place("CREATE", V2, "", kinds) is None
    assert criteria_of({"rules": [old, rule()]}).place("CREATE", V2, "", kinds) == Place(V2)


def test_named_and_excluded_rules_leave_names_to_look_at() -> None:
    kinds = OneVersion()
    match: Object = {
        "resourceRules": [rule(resourceNames=["a"]), rule(resourceNames=["b"])],
        "excludeResourceRules": [rule(resourceNames=["c"])],
    }
    assert criteria_of(match).place("CREATE", PODS, "", kinds) == Place(PODS, frozenset("ab"), frozenset("c"))
    match["excludeResourceRules"].append(rule(resources=["pods"]))
    assert criteria_of(match).place("CREATE", PODS, "", kinds) is None
    assert criteria_of({}).place("CREATE", PODS, "", kinds) is None
    assert criteria_of({}, everything=True).place("CREATE", PODS, "", kinds) == Place(PODS)


def test_selectors_look_at_the_object_before_and_after_and_at_its_namespace() -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": {"team": "a"}}}
    objects = Objects().put(space)
    by_object = criteria_of({"objectSelector": {"matchLabels": {"x": "1"}}})
    assert by_object.selects(write(labelled(x="1")), objects)
    assert by_object.selects(write(labelled(), labelled(x="1")), objects)
    assert not by_object.selects(write(labelled(x="2")), objects)
    by_space = criteria_of({"namespaceSelector": {"matchLabels": {"team": "a"}}})
    assert by_space.selects(write(labelled()), objects)
    assert by_space.selects(write({"kind": "Node", "metadata": {"name": "n"}}, resource=NODES), objects)
    assert by_space.selects(write(space, resource=SPACES), objects)
    assert not by_space.selects(write({"kind": "Namespace", "metadata": {"name": "b"}}, resource=SPACES), objects)
    with pytest.raises(NotFound, match='namespaces "gone" not found'):
        by_space.selects(write(labelled(namespace="gone")), objects)


def test_configurations_of_admission_and_reviews_are_exempt() -> None:
    exempt = [row for row in resources.BUILT_IN if is_exempt(row)]
    assert len(exempt) == 12
    assert all(row.kind.endswith("Review") or row.group.startswith("admissionregistration") for row in exempt)


def configuration(name: str, *hooks: str, **more: Any) -> Object:
    webhooks = [{"name": hook, "clientConfig": {"url": "https://x"}, "rules": [rule()], **more} for hook in hooks]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": webhooks,
    }


def test_webhooks_are_ordered_by_configuration_and_place_and_told_apart() -> None:
    found = hooks_of([configuration("b", "x"), configuration("a", "y", "x", "x")])
    assert [hook.uid for hook in found] == ["a/y/0", "a/x/0", "a/x/1", "b/x/0"]
    assert [hook.order for hook in found] == [0, 1, 2, 3]


def test_the_index_follows_the_configurations_and_nothing_else() -> None:
    objects = Objects()
    index = HookIndex(CONFIGURATIONS, objects, OneVersion())
    attributes = write(labelled())
    assert index.about(attributes) == ()
    objects.put(configuration("a", "x"))
    first = index.about(attributes)
    assert [hook.name for hook, _ in first] == ["x"]
    assert index.about(write(labelled("other"))) is first
    objects.remove(CONFIGURATIONS, "a")
    assert index.about(attributes) == ()


def test_a_namespace_and_a_subresource_are_shown_by_their_own_names() -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    request = review_of(write(space, resource=SPACES), "u", SPACES, (space, None))["request"]
    assert (request["name"], request["namespace"]) == ("n", "n")
    assert request["userInfo"] == {"username": "alice", "uid": "1", "groups": ["dev"]}
    attributes = write({"metadata": {"name": "d"}}, resource=DEPLOYMENTS)
    attributes.subresource = "scale"
    request = review_of(attributes, "u", DEPLOYMENTS, (None, None))["request"]
    assert request["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert request["subResource"] == request["requestSubResource"] == "scale"
    assert kind_of(PODS, "status").kind == "Pod"


def answered(**response: Any) -> Object:
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "u", **response}}


PATCH = base64.b64encode(b"[]").decode()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({}, "webhook response was absent"),
        (answered(uid="x"), 'expected response.uid="u", got "x"'),
        ({**answered(), "kind": "X"}, "got admission.k8s.io/v1, Kind=X"),
        (answered(patch=PATCH), "webhook returned response.patch but not response.patchType"),
        (answered(patchType="JSONPatch"), "webhook returned response.patchType but not response.patch"),
        (answered(patch=PATCH, patchType="Merge"), 'unsupported patch type "Merge"'),
        (answered(patch=PATCH, patchType=""), 'webhook returned invalid response.patchType of ""'),
        (answered(patch="e30=", patchType="JSONPatch"), "received undecodable patch"),
        (answered(patch="e?", patchType="JSONPatch"), "^illegal base64 data at input byte 1$"),
    ],
)
def test_answers_that_break_the_rules(answer: Object, why: str) -> None:
    with pytest.raises(BadReview, match=why):
        verdict_of(answer, "u", version="v1", mutating=True)


def test_the_old_review_needs_no_uid_and_validating_ones_no_patch() -> None:
    old = {"response": {"allowed": True, "patch": PATCH}}
    assert verdict_of(old, "u", version="v1beta1", mutating=True).allowed
    for field in ("patch", "patchType"):
        with pytest.raises(BadReview, match=f"validating webhook may not return response.{field}$"):
            verdict_of(answered(allowed=True, **{field: "x"}), "u", version="v1", mutating=False)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            {**answered(), "response": []},
            "array into Go struct field AdmissionReview.response of type v1.AdmissionResponse",
        ),
        (answered(allowed="yes"), "string into Go struct field AdmissionResponse.response.allowed of type bool"),
        (answered(status=[]), "array into Go struct field AdmissionResponse.response.status of type v1.Status"),
        (answered(warnings="w"), r"string into Go struct field AdmissionResponse.response.warnings of type \[\]string"),
        (answered(warnings=[1]), "number into Go struct field AdmissionResponse.response.warnings of type string"),
        (
            answered(auditAnnotations={"k": True}),
            "bool into Go struct field AdmissionResponse.response.auditAnnotations of type string",
        ),
    ],
)
def test_answers_that_cannot_be_read(answer: Object, why: str) -> None:
    with pytest.raises(Unreadable, match=f"^json: cannot unmarshal {why}$"):
        verdict_of(answer, "u", version="v1", mutating=False)


def test_a_denial_has_no_reason_but_the_webhooks() -> None:
    status = denial("w", {"message": "m", "code": 418}).status()
    assert (status["code"], status.get("reason"), status["message"]) == (
        418,
        None,
        'admission webhook "w" denied the request: m',
    )


def test_who_cares_is_due_again_when_others_changed_the_object_later() -> None:
    attributes = write(labelled())
    first = Round.begin(attributes, "W")
    for uid, changed in (("a", True), ("b", False), ("c", True), ("d", False)):
        assert first.is_due(uid)
        first.asked(uid, changed=changed, reinvocable=True)
    first.end()
    state = attributes.reinvocation
    assert isinstance(state, Reinvocation)
    assert state.wanted
    state.again = True
    second = Round.begin(attributes, "W")
    assert [uid for uid in "abcde" if second.is_due(uid)] == ["a", "b"]
    attributes.new["metadata"]["labels"] = {"set": "elsewhere"}
    third = Round.begin(attributes, "W")
    assert [uid for uid in "abcde" if third.is_due(uid)] == ["a", "b", "c", "d"]
