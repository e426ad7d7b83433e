"""What policies conclude from their expressions, which parameters they get, and what mutations make of objects."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from kubepy.api import resources, schemas
from kubepy.api.errors import Invalid
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.matching import Place
from kubepy.apiserver.admission.policies.authorizing import PolicyAuthorization
from kubepy.apiserver.admission.policies.compiling import Policy, binding_of
from kubepy.apiserver.admission.policies.conditions import ConditionsFailed, conditions_of, hold
from kubepy.apiserver.admission.policies.context import Subject
from kubepy.apiserver.admission.policies.evaluating import Evaluation, Judge
from kubepy.apiserver.admission.policies.judging import Denial, Judgement, joined_annotations, judge, usable_message
from kubepy.apiserver.admission.policies.params import BadParams, param_resource, params_of
from kubepy.apiserver.admission.policies.patching import BadMutation, applied_configuration, applied_operations, plain
from kubepy.apiserver.admission.policies.selecting import PolicyIndex
from kubepy.apiserver.admission.policies.type_checking import warnings_of
from kubepy.apiserver.admission.policies.validating import BINDINGS, POLICIES
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import AlwaysDeny, Authorization
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.cel.environment import Environment
from kubepy.apiserver.http.request_info import RequestInfo
from tests.unit.apiserver.conftest import Objects, OneVersion

Object = dict[str, Any]
PODS, MAPS, NODES = (resources.named(name) for name in ("pods", "configmaps", "nodes"))
ALICE = UserInfo("alice", groups=("dev",))
NOBODY = Authorization([])


class Remembering(AlwaysDeny):
    """An authorizer that lets everyone read, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, RequestInfo]] = []

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        self.asked.append((user.name, info))
        return Decision(info.verb == "get", "readers may read")


class Only(AlwaysDeny):
    """An authorizer that lets everyone do everything with one resource."""

    def __init__(self, plural: str) -> None:
        self.plural = plural

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        return Decision(info.resource == self.plural)


def policy(**spec: Any) -> Policy:
    return Policy({"metadata": {"name": "p"}, "spec": spec})


def evaluation(bindings: Mapping[str, Any], of: Policy | None = None) -> Evaluation:
    variables = of.composition.variables if of is not None else None
    return Evaluation(bindings, Judge(NOBODY, ALICE), variables)


def judged(of: Policy, obj: Object, **more: Any) -> Judgement:
    return asyncio.run(judge(of, evaluation({"object": obj, "oldObject": None, **more}, of)))


def write(obj: Object, operation: str = "CREATE") -> Attributes:
    return Attributes(operation, MAPS, "", "default", obj["metadata"]["name"], obj, None, ALICE)


def config_map(name: str = "m", **labels: str) -> Object:
    meta = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def test_each_validation_that_does_not_pass_is_a_denial_with_its_own_words() -> None:
    found = judged(
        policy(
            validations=[
                {"expression": "object.n > 1", "message": " two at least "},
                {"expression": "object.n > 2", "messageExpression": "'got ' + string(object.n)", "message": "unused"},
                {"expression": "object.n > 3", "messageExpression": "'a\\nb'"},
                {"expression": "object.n > 4", "messageExpression": "string(object.missing)", "message": "spare"},
                {"expression": "object.n > 0"},
                {"expression": "object.missing > 0", "reason": "Forbidden"},
            ]
        ),
        {"n": 1},
    )
    assert found.denials == [
        Denial("two at least", index=0),
        Denial("got 1", index=1),
        Denial("failed expression: object.n > 3", index=2),
        Denial("spare", index=3),
        Denial("expression 'object.missing > 0' resulted in error: no such key: missing", index=5),
    ]


def test_faults_count_only_where_the_policy_fails_on_them() -> None:
    spec: Object = {"validations": [{"expression": "object.x == 1"}, {"expression": "object.n == 2"}]}
    found = judged(policy(**spec, failurePolicy="Ignore"), {"n": 1})
    assert [denial.message for denial in found.denials] == ["failed expression: object.n == 2"]
    broken = policy(validations=[{"expression": "1 +"}])
    assert judged(broken, {}).denials[0].message.startswith("compilation error: compilation failed: ERROR: ")


def test_what_costs_too_much_is_the_only_thing_told() -> None:
    all_pairs = "object.l.all(a, object.l.all(b, object.l.all(c, a + b + c >= 0)))"
    found = judged(
        policy(validations=[{"expression": all_pairs}] * 3 + [{"expression": "false"}]), {"l": list(range(300))}
    )
    assert "cost limit exceeded" in found.denials[0].message


def test_variables_are_computed_once_and_their_faults_are_named() -> None:
    spec: Object = {
        "variables": [
            {"name": "a", "expression": "object.n + 1"},
            {"name": "b", "expression": "variables.a * 2"},
            {"name": "bad", "expression": "object.missing"},
        ],
        "validations": [{"expression": "variables.b == 4"}, {"expression": "variables.bad == 1 || variables.b == 4"},
                        {"expression": "variables.bad == 1"}],
    }  # fmt: skip
    (fault,) = judged(policy(**spec), {"n": 1}).denials
    assert fault.message == (
        "expression 'variables.bad == 1' resulted in error: "
        'composited variable "bad" fails to evaluate: no such key: missing'
    )


def test_annotations_are_noted_and_their_faults_refuse() -> None:
    notes = [
        {"key": "a", "valueExpression": "' text '"},
        {"key": "b", "valueExpression": "null"},
        {"key": "c", "valueExpression": "string(object.missing)"},
    ]
    found = judged(policy(auditAnnotations=notes), {})
    assert found.annotations == {"a": "text"}
    assert [fault.message for fault in found.faults] == [
        "expression 'string(object.missing)' resulted in error: no such key: missing"
    ]
    assert judged(policy(auditAnnotations=notes, failurePolicy="Ignore"), {}).faults == []
    assert joined_annotations([{"a": "1"}, {"a": "2", "b": "3"}, {"a": "1"}]) == {"a": "1, 2", "b": "3"}


def test_messages_are_one_line_of_moderate_length() -> None:
    assert usable_message(" ok ") == "ok"
    assert usable_message("a\nb") == usable_message("x" * 6000) == usable_message(1) == ""


@pytest.mark.parametrize(
    ("expressions", "ignores", "expected"),
    [
        ([], False, True),
        (["true", "object.n == 1"], False, True),
        (["object.x == 1", "false"], False, False),
        (["object.x == 1", "true"], True, False),
    ],
)
def test_conditions_hold_or_do_not(expressions: list[str], ignores: bool, expected: bool) -> None:
    conditions = conditions_of({"name": "c", "expression": text} for text in expressions)
    found = hold(conditions, evaluation({"object": {"n": 1}}), ignores_failure=ignores)
    assert asyncio.run(found) is expected


def test_conditions_that_cannot_be_told_fail() -> None:
    conditions = conditions_of([{"expression": "object.x == 1"}, {"expression": "object.y == 1"}])
    with pytest.raises(ConditionsFailed, match=r"^\[expression 'object.x == 1' .*, expression 'object.y == 1' .*\]$"):
        asyncio.run(hold(conditions, evaluation({"object": {}}), ignores_failure=False))


def test_the_authorizer_is_asked_once_for_each_question() -> None:
    authorizer = Remembering()
    text = (
        "authorizer.group('apps').resource('deployments').namespace('x').check('get').allowed() "
        "&& !authorizer.serviceAccount('ns', 'robot').path('/healthz').check('post').allowed() "
    )
    own = "authorizer.requestResource.check('get').reason() == 'readers may read'"
    of = policy(validations=[{"expression": text}, {"expression": own}, {"expression": own}])

    async def run() -> Judgement:
        attributes = write(config_map())
        subject = Subject(attributes, Objects(), OneVersion(), Authorization([authorizer]))
        return await judge(of, await subject.evaluation(Place(MAPS), of, None))

    assert asyncio.run(run()).denials == []
    assert [(user, info.verb, info.resource, info.path) for user, info in authorizer.asked] == [
        ("alice", "get", "deployments", ""),
        ("system:serviceaccount:ns:robot", "post", "", "/healthz"),
        ("alice", "get", "configmaps", ""),
    ]


def reference(**spec: Any) -> Any:
    return binding_of({"metadata": {"name": "b"}, "spec": {"policyName": "p", "paramRef": spec}}).param_ref


def test_parameters_come_from_the_requests_namespace_or_the_bindings() -> None:
    async def found(where: str, resource: resources.Resource = MAPS, **spec: Any) -> list[str]:
        params = await params_of(resource, reference(**spec), where, objects, OneVersion())
        return [param["metadata"]["name"] for param in params if param is not None]

    async def run() -> None:
        assert await found("default", name="m") == ["m"]
        assert await found("other", name="m", namespace="default") == ["m"]
        assert await found("other", name="m") == []
        assert await found("default", selector={"matchLabels": {"k": "v"}}) == ["n"]
        with pytest.raises(BadParams, match="no params found for policy binding with `Deny`"):
            await found("other", name="m", parameterNotFoundAction="Deny")
        with pytest.raises(BadParams, match="cannot use namespaced paramRef"):
            await found("", name="m")
        with pytest.raises(BadParams, match=r"paramRef\.namespace must not be provided"):
            await found("x", NODES, name="m", namespace="default")

    objects = Objects().put(config_map("m"), config_map("n", k="v"))
    asyncio.run(run())
    with pytest.raises(BadParams, match=r"failed to find resource referenced by paramKind: 'a/v1, Kind=None'"):
        param_resource(("a/v1", "None"), OneVersion())


def test_policies_are_selected_by_binding_and_compiled_again_only_when_they_change() -> None:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["configmaps"]}
    group = "admissionregistration.k8s.io/v1"
    stored = {
        "apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}]},
    }  # fmt: skip
    bound = {
        "apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"},
        "spec": {
            "policyName": "p", "validationActions": ["Deny"],
            "matchResources": {"resourceRules": [{**rule, "resourceNames": ["m"]}]},
        },
    }  # fmt: skip
    objects = Objects().put(stored)
    index = PolicyIndex(POLICIES, BINDINGS, objects, OneVersion())
    attributes = write(config_map())
    assert index.about(attributes) == ()
    objects.put(bound)
    ((first, _, _),) = index.about(attributes)
    objects.put({**stored, "status": {"observedGeneration": 1}})
    ((second, _, _),) = index.about(attributes)
    assert second is first

    async def names(name: str) -> list[str]:
        about = write(config_map(name))
        selected = await index.select(index.about(about), about)
        return [invocation.binding.name for invocation in selected.invocations]

    assert asyncio.run(names("m")) == ["b"]
    assert asyncio.run(names("other")) == []


POD = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "a", "image": "i"}], "tolerations": [{"key": "k"}]},
}  # fmt: skip


def test_a_configuration_is_merged_by_the_schemas_keys() -> None:
    schema = schemas.schema_of("v1", "Pod")
    config = {"spec": {"containers": [{"name": "a", "image": "j"}, {"name": "b"}], "hostNetwork": True}}
    merged = applied_configuration(config, POD, schema)
    assert merged["spec"]["containers"] == [{"name": "a", "image": "j"}, {"name": "b"}]
    assert merged["spec"]["hostNetwork"] is True
    with pytest.raises(BadMutation, match="failed to convert patch object to typed object"):
        applied_configuration({"spec": {"odd": 1}}, POD, schema)
    with pytest.raises(BadMutation, match=r"may not mutate atomic arrays, maps or structs: \.spec\.tolerations"):
        applied_configuration({"spec": {"tolerations": [{"key": "x"}]}}, POD, schema)
    with pytest.raises(BadMutation, match="must evaluate to Object"):
        applied_configuration([], POD, schema)


def test_a_json_patch_stops_at_a_test_that_fails() -> None:
    add = {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}
    assert applied_operations([add], POD)["metadata"]["labels"] == {"x": "y"}
    assert applied_operations([add, {"op": "test", "path": "/metadata/name", "value": "q"}], POD) == POD
    with pytest.raises(BadMutation, match="JSON Patch: error in remove for path: '/x'"):
        applied_operations([{"op": "remove", "path": "/x"}], POD)
    with pytest.raises(BadMutation, match="should evaluate to array of JSONPatch"):
        applied_operations([1], POD)


def test_type_checking_leaves_wildcards_and_unknown_kinds_alone() -> None:
    def resolve(group: str, version: str, plural: str) -> Any:
        row = resources.by_plural(group, version, plural)
        schema = schemas.schema_of(row.api_version, row.kind) if row is not None else None
        return (row.api_version, row.kind, schema) if row is not None and schema is not None else None

    def warned(**rule: Any) -> list[Object]:
        whole = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], **rule}
        spec = {"matchConstraints": {"resourceRules": [whole]}, "validations": [{"expression": "object.spec.odd == 1"}]}
        return warnings_of({"spec": spec}, resolve, schemas.schema_of)

    assert warned()[0]["warning"].startswith("/v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'odd'")
    assert warned(apiGroups=["*"]) == warned(resources=["pods/status", "*"]) == warned(resources=["gone"]) == []


def test_who_writes_a_policy_must_be_allowed_to_read_its_parameters() -> None:
    async def refused(user: UserInfo, kind: str, spec: Object, old: Object | None = None) -> str:
        row = resources.by_kind("admissionregistration.k8s.io/v1", kind)
        assert row is not None
        obj = {"apiVersion": row.api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
        before = {**obj, "spec": old} if old is not None else None
        operation = "CREATE" if old is None else "UPDATE"
        plugin = PolicyAuthorization(Objects(), OneVersion(), Authorization([Only("configmaps")]))
        try:
            await plugin.validate(Attributes(operation, row, "", "", "x", obj, before, user))
        except Invalid as fault:
            return fault.message.partition(" is invalid: ")[2]
        return ""

    async def run() -> None:
        policy_kind, binding_kind = "MutatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
        secrets = {"paramKind": {"apiVersion": "v1", "kind": "Secret"}}
        maps = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
        assert await refused(ALICE, policy_kind, secrets) == (
            'spec.paramKind: Forbidden: user &{alice  [dev] map[]} must have "get" permission on all objects of the '
            "referenced paramKind (kind=Secret, apiVersion=v1)"
        )
        assert await refused(ALICE, policy_kind, maps) == ""
        assert await refused(ALICE, policy_kind, secrets, secrets) == ""
        assert await refused(UserInfo("root", groups=("system:masters",)), policy_kind, secrets) == ""
        bound = {"policyName": "p", "paramRef": {"name": "m", "namespace": "default"}}
        assert (await refused(ALICE, binding_kind, bound)).startswith("spec.paramRef: Forbidden: user ")
        assert await refused(ALICE, binding_kind, {"policyName": "p"}) == ""

    asyncio.run(run())


def test_values_of_cel_are_made_plain_or_refused() -> None:
    made = (
        "{'t': dyn(timestamp('2024-01-02T03:04:05Z')), 'd': dyn(duration('90s')), 'b': dyn(b'ab'), 'u': dyn(7u), "
        "'l': dyn([dyn(null), dyn(1.5), dyn(true)])}"
    )
    value = plain(Environment({}, dynamic=True).compile(made).evaluate({}))
    assert orjson.loads(orjson.dumps(value)) == {
        "t": "2024-01-02T03:04:05Z", "d": "90s", "b": "YWI=", "u": 7, "l": [None, 1.5, True],
    }  # fmt: skip
    for odd in ("{1: 'a'}", "type(1)", "optional.of(1)"):
        with pytest.raises(BadMutation, match="could not marshal to JSON"):
            plain(Environment({}, dynamic=True).compile(odd).evaluate({}))


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("variables.texts.all(x, x.startsWith('a'))", ""),
        ("variables.texts.all(x, x > 1)", "found no matching overload for '_>_' applied to '(string, int)'"),
        ("variables.texts == 1", "found no matching overload for '_==_' applied to '(list(string), int)'"),
        ("variables.counts['a'] == 'x'", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("variables.user.nobody == ''", "undefined field 'nobody'"),
        ("variables.since > timestamp('2020-01-01T00:00:00Z') && variables.nested[0][0] == 'x'", ""),
        ("variables.missing == 1", "undefined field 'missing'"),
    ],
)
def test_variables_have_the_types_of_their_expressions(expression: str, fault: str) -> None:
    variables = {
        "texts": "['a', 'b']", "counts": "{'a': 1}", "user": "request.userInfo", "nested": "[[1]]",
        "since": "timestamp('2021-01-01T00:00:00Z')",
    }  # fmt: skip
    defined = [{"name": name, "expression": text} for name, text in variables.items()]
    (found,) = policy(variables=defined, validations=[{"expression": expression}]).validations
    assert fault in found.expression.fault
    assert bool(fault) == bool(found.expression.fault)


def test_variable_that_comes_later_is_no_field_yet() -> None:
    composition = policy(variables=[{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}])
    assert "undefined field 'b'" in composition.composition.variables["a"].fault
