"""Admission policies in CEL on a real server: what they refuse, warn of and note, and what they change."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.api.serving import Api, kubectl, kubectls, on_api

Object = dict[str, Any]
GROUP = "admissionregistration.k8s.io/v1"
REGISTRATION = f"/apis/{GROUP}/"
MAPS = "/api/v1/namespaces/default/configmaps"
ANY_MAP = {
    "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}]
}


async def made(api: Api, path: str, body: Object) -> Object:
    status, answer = await api.call("POST", path, body)
    assert status == 201, answer
    return dict(answer)


async def policy(api: Api, name: str, *, sort: str = "Validating", bind: Object | None = None, **spec: Any) -> Object:
    """Makes a policy about config maps, with a binding of the same name."""
    kind = f"{sort}AdmissionPolicy"
    body = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}}
    spec = {"matchConstraints": ANY_MAP, **spec}
    await made(api, REGISTRATION + plural(kind), {**body, "spec": spec})
    binding: Object = {"policyName": name, **(bind or {})}
    if sort == "Validating":
        binding.setdefault("validationActions", ["Deny"])
    path = REGISTRATION + plural(kind + "Binding")
    return await made(api, path, {**body, "kind": kind + "Binding", "spec": binding})


def plural(kind: str) -> str:
    return kind.lower().removesuffix("y") + "ies" if kind.endswith("y") else kind.lower() + "s"


def config_map(name: str = "m", labels: Object | None = None, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


async def refusal(api: Api, body: Object, method: str = "POST", path: str = MAPS) -> tuple[int, str, str]:
    status, answer = await api.call(method, path, body)
    assert status >= 400, answer
    return status, answer["reason"], answer["message"]


def test_a_validation_that_fails_refuses_in_the_policys_words(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        await policy(
            api,
            "sizes",
            variables=[
                {"name": "keys", "expression": "has(object.data) ? object.data.map(key, key) : []"},
                {"name": "many", "expression": "variables.keys.size() > 2"},
            ],
            validations=[
                {"expression": "!variables.many", "messageExpression": "'too many: ' + string(variables.keys.size())"},
                {"expression": "object.metadata.name != 'bad'", "message": "bad name", "reason": "Forbidden"},
                {"expression": "object.metadata.name != 'worse'"},
                {"expression": "object.data['must'] != ''"},
            ],
        )
        head = "ValidatingAdmissionPolicy 'sizes' with binding 'sizes' denied request: "
        many = config_map("m", a="1", b="2", must="3")
        assert await refusal(api, many) == (422, "Invalid", f'configmaps "m" is forbidden: {head}too many: 3')
        counted = (await api.call("GET", "/metrics"))[1]
        labels = 'enforcement_action="deny",error_type="invalid_error",policy="sizes",policy_binding="sizes"'
        assert f"apiserver_validating_admission_policy_check_total{{{labels}}} 1.0" in counted
        code, reason, message = await refusal(api, config_map("bad", must="1"))
        assert (code, reason) == (403, "Forbidden")
        assert message.endswith(head + "bad name")
        assert (await refusal(api, config_map("worse", must="1")))[2].endswith(
            head + "failed expression: object.metadata.name != 'worse'"
        )
        assert (await refusal(api, config_map("m", a="1")))[2].endswith(
            head + "expression 'object.data['must'] != ''' resulted in error: no such key: must"
        )
        await made(api, MAPS, config_map("m", must="1"))

    on_api(tmp_path, test)


def test_actions_warn_and_deny_only_where_a_binding_matches(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        await policy(
            api,
            "odd",
            bind={
                "validationActions": ["Warn", "Audit"],
                "matchResources": {"objectSelector": {"matchLabels": {"a": "b"}}},
            },
            validations=[{"expression": "object.metadata.name.startsWith('x')", "message": "no x"}],
        )
        for labels, warning in (({"a": "b"}, True), ({}, False)):
            async with api.session.post(api.url + MAPS, json=config_map(f"m{len(labels)}", labels)) as answer:
                assert answer.status == 201
                text = "Validation failed for ValidatingAdmissionPolicy 'odd' with binding 'odd': no x"
                assert answer.headers.get("Warning", "") == (f'299 - "{text}"' if warning else "")

    on_api(tmp_path, test)


def test_conditions_decide_whether_a_policy_is_asked_at_all(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        conditions = [
            {"name": "no-admins", "expression": "!('system:masters' in request.userInfo.groups && false)"},
            {"name": "labelled", "expression": "object.metadata.?labels['judge'].orValue('') == 'yes'"},
        ]
        never = [{"expression": "false", "message": "never"}]
        await policy(api, "never", matchConditions=conditions, validations=never)
        await made(api, MAPS, config_map("free"))
        assert (await refusal(api, config_map("m", {"judge": "yes"})))[2].endswith("denied request: never")

    on_api(tmp_path, test)


def test_parameters_are_found_by_name_or_selector_and_may_be_missed(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        kind = {"apiVersion": "v1", "kind": "Secret"}
        checks = [{
            "expression": "params == null || object.metadata.name != string(params.metadata.labels.forbidden)",
            "messageExpression": "'as ' + params.metadata.name + ' says'",
        }]  # fmt: skip
        by_label = {"selector": {"matchLabels": {"kind": "limit"}}, "parameterNotFoundAction": "Deny"}
        await policy(api, "p", paramKind=kind, bind={"paramRef": by_label}, validations=checks)
        missing = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
        assert (await refusal(api, config_map("one")))[2].endswith(missing)
        for name in ("one", "two"):
            labels = {"kind": "limit", "forbidden": name}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s-{name}", "labels": labels}}
            await made(api, "/api/v1/namespaces/default/secrets", secret)
        assert (await refusal(api, config_map("one")))[2].endswith("as s-one says")
        assert (await refusal(api, config_map("two")))[2].endswith("as s-two says")
        await made(api, MAPS, config_map("three"))

    on_api(tmp_path, test)


def test_expressions_see_the_old_object_the_namespace_and_the_authorizer(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        allowed = "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()"
        await policy(
            api,
            "all",
            validations=[
                {"expression": "request.operation != 'DELETE' || object != null || oldObject.metadata.name != 'keep'"},
                {"expression": "oldObject == null || object == null || object.data == oldObject.data"},
                {"expression": "namespaceObject.metadata.name == request.namespace"},
                {"expression": allowed},
                {"expression": "authorizer.requestResource.check('escalate').allowed()"},
                {"expression": "request.resource.resource == 'configmaps' && request.options.kind.endsWith('Options')"},
            ],
        )
        await made(api, MAPS, config_map("keep", a="1"))
        assert (await refusal(api, config_map("keep", a="2"), "PUT", MAPS + "/keep"))[0] == 422
        assert (await api.call("PUT", MAPS + "/keep", config_map("keep", {"x": "y"}, a="1")))[0] == 200
        assert (await refusal(api, {}, "DELETE", MAPS + "/keep"))[0] == 422

    on_api(tmp_path, test)


def test_mutations_apply_configurations_and_patches_one_after_the_other(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        pods = {"resourceRules": [{**ANY_MAP["resourceRules"][0], "resources": ["pods"]}]}
        side = "Object.spec.containers{name: 'side', image: 'side:' + variables.tag}"
        escaped = "'/metadata/labels/' + jsonpatch.escapeKey('example.com/by')"
        await policy(
            api,
            "side",
            sort="Mutating",
            matchConstraints=pods,
            reinvocationPolicy="Never",
            variables=[{"name": "tag", "expression": "object.metadata.?labels['tag'].orValue('v1')"}],
            mutations=[
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {
                        "expression": f"Object{{metadata: Object.metadata{{labels: {{'x': 'y'}}}}, "
                        f"spec: Object.spec{{containers: [{side}]}}}}"
                    },
                },
                {
                    "patchType": "JSONPatch",
                    "jsonPatch": {"expression": f"[JSONPatch{{op: 'add', path: {escaped}, value: 'policy'}}]"},
                },
            ],
        )
        body = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }  # fmt: skip
        pod = await made(api, "/api/v1/namespaces/default/pods", body)
        assert {c["name"]: c["image"] for c in pod["spec"]["containers"]} == {"c": "i", "side": "side:v1"}
        assert pod["metadata"]["labels"] == {"x": "y", "example.com/by": "policy"}
        owned = orjson.dumps(pod["metadata"]["managedFields"]).decode()
        assert "example.com" not in owned

    on_api(tmp_path, test)


def test_mutations_that_cannot_be_applied_refuse(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        apply = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{odd: 1}"}}
        await policy(api, "bad", sort="Mutating", reinvocationPolicy="Never", mutations=[apply])
        code, reason, message = await refusal(api, config_map())
        assert (code, reason) == (403, "Invalid")
        head = "policy 'bad' with binding 'bad' denied request: "
        assert message.startswith(head + "error applying patch: failed to convert patch object")
        path = REGISTRATION + "mutatingadmissionpolicies/bad"
        patched, broken = head + "JSON Patch: ", "Internal error occurred: "
        for made, why in (
            (
                "{op: 'remove', path: '/x'}",
                patched + "error in remove for path: '/x': Unable to remove nonexistent key: x",
            ),
            ("{op: 'add', path: '/odd', value: 1}", broken + 'strict decoding error: unknown field "odd"'),
            (
                "{op: 'add', path: '/data', value: 1}",
                broken + "json: cannot unmarshal number into Go struct field ConfigMap",
            ),
            (
                "{op: 'add', path: '/data', value: Object.data{a: Object.no{}}}",
                head + 'type mismatch: unexpected type name "Object.no"',
            ),
        ):
            patch = {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[JSONPatch{made}]"}}
            change = {"spec": {"mutations": [patch]}}
            assert (await api.call("PATCH", path, change, kind="application/merge-patch+json"))[0] == 200
            code, _, message = await refusal(api, config_map())
            assert (code, message[: len(why)]) == (500 if why.startswith(broken) else 403, why)

    on_api(tmp_path, test)


def test_a_policy_that_cares_sees_what_later_ones_changed(tmp_path: Path) -> None:
    def stamp(key: str) -> list[Object]:
        value = f"{{'{key}': string(object.data.size())}}"
        return [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": f"Object{{data: {value}}}"}}]

    async def test(api: Api) -> None:
        await policy(api, "a", sort="Mutating", reinvocationPolicy="IfNeeded", mutations=stamp("a"))
        await policy(api, "b", sort="Mutating", reinvocationPolicy="Never", mutations=stamp("b"))
        found = await made(api, MAPS, config_map(x="1"))
        assert found["data"] == {"x": "1", "a": "3", "b": "2"}

    on_api(tmp_path, test)


def test_expressions_that_do_not_compile_are_refused_with_their_fields(tmp_path: Path) -> None:
    async def refused(api: Api, kind: str, spec: Object, field: str = "spec") -> list[tuple[str, str]]:
        body = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "x"}, field: spec}
        status, answer = await api.call("POST", REGISTRATION + plural(kind), body)
        assert (status, answer["reason"]) == (422, "Invalid"), answer
        return [(cause["field"], cause["message"]) for cause in answer["details"]["causes"]]

    async def test(api: Api) -> None:
        spec = {
            "matchConstraints": ANY_MAP,
            "matchConditions": [{"name": "c", "expression": "variables.a"}],
            "variables": [{"name": "a", "expression": "1 +"}, {"name": "b", "expression": "variables.c"}],
            "validations": [
                {"expression": "request.nothing == 1", "messageExpression": "1"},
                {"expression": "object.x"},
                {"expression": "params.x == 1", "messageExpression": "authorizer.path('/x').check('get').reason()"},
            ],
            "auditAnnotations": [{"key": "k", "valueExpression": "1 == 1"}],
        }
        found = await refused(api, "ValidatingAdmissionPolicy", spec)
        assert [field for field, _ in found] == [
            "spec.matchConditions[0].expression",
            "spec.variables[0].expression",
            "spec.variables[1].expression",
            "spec.validations[0].expression",
            "spec.validations[0].messageExpression",
            "spec.validations[1].expression",
            "spec.validations[2].expression",
            "spec.validations[2].messageExpression",
            "spec.auditAnnotations[0].valueExpression",
        ]
        texts = [message for _, message in found]
        assert texts[3].startswith('Invalid value: "request.nothing == 1": compilation failed: ERROR: <input>:1:8: ')
        assert "undefined field 'nothing'" in texts[3]
        assert texts[4] == 'Invalid value: "1": must evaluate to string but got int'
        assert texts[5] == 'Invalid value: "object.x": must evaluate to bool but got dyn'
        assert "undeclared reference to 'params' (in container '')" in texts[6]
        assert texts[8] == 'Invalid value: "1 == 1": must evaluate to one of [string null_type] but got bool'
        mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: nothing}]"}}
        spec = {"matchConstraints": ANY_MAP, "reinvocationPolicy": "Never", "mutations": [mutation]}
        found = await refused(api, "MutatingAdmissionPolicy", spec)
        assert [field for field, _ in found] == ["spec.mutations[0].jsonPatch.expression"]
        webhook = {
            "name": "a.example.com", "clientConfig": {"url": "https://x"}, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "matchConditions": [{"name": "a", "expression": "params.x == 1"}],
        }  # fmt: skip
        found = await refused(api, "ValidatingWebhookConfiguration", [webhook], "webhooks")  # type: ignore[arg-type]
        assert [field for field, _ in found] == ["webhooks[0].matchConditions[0].expression"]

    on_api(tmp_path, test)


def test_type_checking_warns_of_fields_that_are_not_there(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["*"]}
        await policy(
            api,
            "typed",
            matchConstraints={"resourceRules": [rule]},
            variables=[{"name": "n", "expression": "object.spec.replicas"}],
            validations=[
                {"expression": "object.replicas > 1"},
                {"expression": "variables.n > 1", "messageExpression": "'x' + object.metadata.nam"},
                {"expression": "object.spec.template.spec.containers.all(c, c.image != '')"},
            ],
        )
        path = REGISTRATION + "validatingadmissionpolicies/typed"
        while not (found := (await api.call("GET", path))[1].get("status")):
            await asyncio.sleep(0.01)
        assert found["observedGeneration"] == 1
        warnings = found["typeChecking"]["expressionWarnings"]
        fields = [warning["fieldRef"] for warning in warnings]
        assert fields == ["spec.validations[0].expression", "spec.validations[1].messageExpression"]
        assert warnings[0]["warning"].startswith(
            "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'"
        )

    on_api(tmp_path, test)


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "limits.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"plural": "limits", "kind": "Limit"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "most": {"type": "integer"},
                            "unit": {"type": "string"},
                        },
                    }
                },
            }
        ],
    },
}


@pytest.mark.parametrize("binary", kubectls()[-1:])
def test_kubectl_meets_a_policy_with_custom_parameters(tmp_path: Path, binary: str) -> None:
    async def test(api: Api) -> None:
        async def apply(*objects: Object, check: bool = True) -> str:
            text = "\n---\n".join(orjson.dumps(obj).decode() for obj in objects)
            return await kubectl(binary, api, "apply", "-f", "-", stdin=text, check=check)

        head = {"apiVersion": GROUP, "metadata": {"name": "most"}}
        rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE"]}
        check = {
            "expression": "object.spec.replicas <= params.most",
            "messageExpression": "'at most ' + string(params.most) + ' replicas'",
        }
        spec = {
            "paramKind": {"apiVersion": "example.com/v1", "kind": "Limit"},
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [check],
        }
        binding = {
            "policyName": "most", "validationActions": ["Deny"],
            "paramRef": {"name": "three", "parameterNotFoundAction": "Deny"},
        }  # fmt: skip
        await apply(
            {**head, "kind": "ValidatingAdmissionPolicy", "spec": spec},
            {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
        )
        create = ("create", "deployment", "web", "--image=i", "--replicas=4")
        out = await kubectl(binary, api, *create, check=False)
        assert "failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'" in out
        await apply(CRD)
        await apply({"apiVersion": "example.com/v1", "kind": "Limit", "metadata": {"name": "three"}, "most": 3})
        out = await kubectl(binary, api, *create, check=False)
        assert "ValidatingAdmissionPolicy 'most' with binding 'most' denied request: at most 3 replicas" in out
        assert "created" in await kubectl(binary, api, *create[:-1], "--replicas=3")

    on_api(tmp_path, test)


def test_mutations_of_an_equivalent_version_build_on_each_other(tmp_path: Path) -> None:
    def apply(fields: str) -> Object:
        return {
            "patchType": "ApplyConfiguration",
            "applyConfiguration": {"expression": f"Object{{spec: Object.spec{{{fields}}}}}"},
        }

    async def test(api: Api) -> None:
        rule = {
            "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "operations": ["*"],
            "resources": ["horizontalpodautoscalers"],
        }  # fmt: skip
        mutations = [apply("maxReplicas: 5"), apply("minReplicas: object.spec.maxReplicas - 2")]
        constraints = {"resourceRules": [rule]}
        await policy(
            api, "m", sort="Mutating", matchConstraints=constraints, reinvocationPolicy="Never", mutations=mutations
        )
        body = {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
            "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}},
        }  # fmt: skip
        found = await made(api, "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", body)
        assert (found["apiVersion"], found["spec"]["maxReplicas"], found["spec"]["minReplicas"]) == (
            "autoscaling/v2", 5, 3,
        )  # fmt: skip
        assert found["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80

    on_api(tmp_path, test)
