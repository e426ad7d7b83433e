"""Patches of every kind, what is wrong with them, and who owns what afterwards."""

from typing import Any

import orjson
import pytest

from tests.unit.apiserver.asking import APPLY, JSON_PATCH, MERGE, STRATEGIC, Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LABELS = {"app": "d"}
SPEC: dict[str, Any] = {
    "selector": {"matchLabels": LABELS},
    "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": SPEC}
NAMES = {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"}
SCALE = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    "subresources": {"status": {}, "scale": SCALE},
}
DEFINITION = {
    "metadata": {"name": "foos.example.org"},
    "spec": {"group": "example.org", "names": NAMES, "scope": "Namespaced", "versions": [VERSION]},
}


def owners(obj: Any, field: str) -> list[tuple[str, str, str]]:
    """(manager, operation, subresource) of who owns a field of the spec."""
    return [
        (entry["manager"], entry["operation"], entry.get("subresource", ""))
        for entry in obj["metadata"]["managedFields"]
        if f"f:{field}" in entry["fieldsV1"].get("f:spec", {})
    ]


@pytest.mark.parametrize(
    ("kind", "patch", "shown", "why"),
    [
        (MERGE, {"spec": {"replicas": "x"}}, '{"apiVersion"', "json: cannot unmarshal string into Go struct field"),
        (STRATEGIC, {"spec": {"replicas": "x"}}, "map[spec:map[replicas:x]]", "unrecognized type: int32"),
        (STRATEGIC, {"metadata": {"labels": 5}}, "map[metadata:map[labels:5]]", "cannot restore map from int64"),
        (STRATEGIC, {"spec": {"template": 5}}, "map[spec:map[template:5]]", "cannot restore struct from: int64"),
        (STRATEGIC, {"spec": {"odd": 5}}, "map[spec:map[odd:5]]", 'strict decoding error: unknown field "spec.odd"'),
        (JSON_PATCH, [{"op": "replace", "path": "/kind", "value": "Pod"}], '{"apiVersion"', "no kind"),
        (JSON_PATCH, [{"op": "add", "path": "/x", "value": 1, "z": 1}], "", 'json patch unknown field "[0].z"'),
        (MERGE, b'{"spec":{"paused":true,"paused":false}}', "", 'duplicate field "spec.paused"'),
    ],
)
def test_a_patch_that_does_not_leave_an_object_is_shown(kind: str, patch: Any, shown: str, why: str) -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", DEPLOYMENTS, DEPLOYMENT)
        told = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldValidation=Strict", patch, kind=kind)
        assert told.status == 422
        assert told.message.startswith(' "" is invalid: patch: Invalid value: "' + shown.replace('"', '\\"'))
        assert why in told.message or why == "no kind"

    on_server(test)


def test_a_patch_may_take_the_kind_away() -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", MAPS, {"metadata": {"name": "a"}})
        told = await ask("PATCH", f"{MAPS}/a", {"kind": None, "apiVersion": None, "data": {"k": "v"}}, kind=MERGE)
        assert (told.status, told.body["kind"], told.body["data"]) == (200, "ConfigMap", {"k": "v"})

    on_server(test)


@pytest.mark.parametrize("filled", [{}, {"apiVersion": "v1", "kind": "ConfigMap"}])
def test_fields_named_twice_are_told_of(filled: Any) -> None:
    async def test(ask: Asker) -> None:
        head = "".join(f'"{key}":"{value}",' for key, value in filled.items())
        body = ("{" + head + '"metadata":{"name":"a","name":"b"},"data":{"k":"1","k":"2"}}').encode()
        strict = await ask("POST", f"{MAPS}?fieldValidation=Strict", body)
        assert strict.status == 400
        assert strict.message.endswith('duplicate field "metadata.name", duplicate field "data.k"')
        warned = await ask("POST", MAPS, body)
        assert len(warned.warnings) == 2

    on_server(test)


def test_keys_set_twice_in_yaml_are_told_of() -> None:
    async def test(ask: Asker) -> None:
        body = b"metadata:\n  name: a\ndata:\n  k: '1'\n  k: '2'\nodd: 1\n"
        told = await ask("POST", f"{MAPS}?fieldValidation=Strict", body, kind="application/yaml")
        assert told.message == (
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal '
            'errors:\n  line 5: key "k" already set in map, unknown field "odd"'
        )
        body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: '1'\n  k: '2'\n"
        told = await ask("PATCH", f"{MAPS}/a?fieldManager=m&fieldValidation=Strict", body, kind=APPLY)
        assert told.message.startswith("error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal")

    on_server(test)


def test_custom_objects_know_no_strategic_merge() -> None:
    async def test(ask: Asker) -> None:
        assert (await ask("POST", DEFINITIONS, DEFINITION)).status == 201
        path = "/apis/example.org/v1/namespaces/default/foos"
        foo = {"apiVersion": "example.org/v1", "kind": "Foo", "metadata": {"name": "f"}, "spec": {"size": 1}}
        while (await ask("POST", path, foo)).status == 404:
            pass
        for target in (f"{path}/f", f"{path}/f/scale"):
            told = await ask("PATCH", target, {"spec": {"size": 2}}, kind=STRATEGIC)
            assert told.status == 415
            assert "strategic" not in told.message
        scaled = await ask("PATCH", f"{path}/f/scale?fieldManager=m", {"spec": {"replicas": 3}}, kind=MERGE)
        assert scaled.body["spec"] == {"replicas": 3}
        assert owners((await ask("GET", f"{path}/f")).body, "size") == [("m", "Update", "scale")]

    on_server(test)


def test_who_scales_owns_the_replicas() -> None:
    async def test(ask: Asker) -> None:
        config = {**DEPLOYMENT, "spec": {**SPEC, "replicas": 1}}
        await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=gitops", config, kind=APPLY)
        await ask("PATCH", f"{DEPLOYMENTS}/d/scale?fieldManager=hpa", {"spec": {"replicas": 2}}, kind=MERGE)
        assert owners((await ask("GET", f"{DEPLOYMENTS}/d")).body, "replicas") == [("hpa", "Update", "scale")]
        told = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=gitops", config, kind=APPLY)
        assert (told.status, [cause["field"] for cause in told.body["details"]["causes"]]) == (409, [".spec.replicas"])

    on_server(test)


def test_a_scale_is_applied() -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", f"{DEPLOYMENTS}?fieldManager=user", {**DEPLOYMENT, "spec": {**SPEC, "replicas": 1}})
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 4}}
        target = f"{DEPLOYMENTS}/d/scale?fieldManager=me"
        refused = await ask("PATCH", target, scale, kind=APPLY)
        assert refused.status == 409
        assert refused.message.endswith('1 conflict: conflict with "user" using autoscaling/v1: .spec.replicas')
        told = await ask("PATCH", f"{target}&force=true", scale, kind=APPLY)
        assert (told.body["kind"], told.body["spec"]) == ("Scale", {"replicas": 4})
        found = (await ask("GET", f"{DEPLOYMENTS}/d")).body
        assert (found["spec"]["replicas"], owners(found, "replicas")) == (4, [("me", "Apply", "scale")])
        wrong = await ask("PATCH", target, {**scale, "apiVersion": "autoscaling/v2"}, kind=APPLY)
        assert wrong.message.startswith("Incorrect version specified in apply patch.")

    on_server(test)


CLIENT, ANNOTATION = "kubectl-client-side-apply", "kubectl.kubernetes.io/last-applied-configuration"


def told_before(config: Any) -> dict[str, Any]:
    annotations = {ANNOTATION: orjson.dumps(config).decode()}
    return {**config, "metadata": {**config["metadata"], "annotations": annotations}}


def test_kubectl_takes_over_what_it_applied_on_the_client() -> None:
    async def test(ask: Asker) -> None:
        before = {**DEPLOYMENT, "spec": {**SPEC, "replicas": 1}}
        await ask("POST", f"{DEPLOYMENTS}?fieldManager={CLIENT}", told_before(before))
        config = {**DEPLOYMENT, "spec": {**SPEC, "replicas": 3}}
        other = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=other", config, kind=APPLY)
        assert other.status == 409
        told = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=kubectl", config, kind=APPLY)
        assert (told.status, told.body["spec"]["replicas"]) == (200, 3)
        assert CLIENT not in [entry["manager"] for entry in told.body["metadata"]["managedFields"]]
        assert owners(told.body, "replicas") == [("kubectl", "Apply", "")]
        assert orjson.loads(told.body["metadata"]["annotations"][ANNOTATION])["spec"]["replicas"] == 3

    on_server(test)


def test_kubectl_does_not_take_over_what_another_changed_since() -> None:
    async def test(ask: Asker) -> None:
        before = {**DEPLOYMENT, "spec": {**SPEC, "replicas": 1}}
        await ask("POST", f"{DEPLOYMENTS}?fieldManager={CLIENT}", told_before(before))
        await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=hpa", {"spec": {"replicas": 5}}, kind=MERGE)
        config = {**DEPLOYMENT, "spec": {**SPEC, "replicas": 3, "minReadySeconds": 2}}
        told = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=kubectl", config, kind=APPLY)
        assert told.message == 'Apply failed with 1 conflict: conflict with "hpa" using apps/v1: .spec.replicas'

    on_server(test)


def test_every_fault_of_a_configuration_is_told() -> None:
    async def test(ask: Asker) -> None:
        config = {**DEPLOYMENT, "spec": {**SPEC, "odd": 1, "replicas": "x"}}
        told = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=m", config, kind=APPLY)
        assert (told.status, told.message.partition("): ")[2]) == (
            500,
            "errors:\n  .spec.odd: field not declared in schema\n"
            "  .spec.replicas: expected numeric (int or float), got string",
        )
        ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]
        container = {"name": "c", "image": "i", "ports": ports}
        template = {**SPEC["template"], "spec": {"containers": [container]}}
        config = {**DEPLOYMENT, "spec": {**SPEC, "template": template}}
        told = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=m", config, kind=APPLY)
        assert told.message.endswith(
            '.spec.template.spec.containers[name="c"].ports: duplicate entries for key '
            '[containerPort=80,protocol="TCP"]'
        )

    on_server(test)


def test_an_object_that_is_gone_is_not_made_again_by_its_uid() -> None:
    async def test(ask: Asker) -> None:
        config = {**DEPLOYMENT, "metadata": {"name": "d", "uid": "u"}}
        told = await ask("PATCH", f"{DEPLOYMENTS}/d?fieldManager=m", config, kind=APPLY)
        assert told.status == 409
        assert told.message.endswith(
            "uid mismatch: the provided object specified uid u, and no existing object was found"
        )

    on_server(test)


@pytest.mark.parametrize(
    "entry", [{"operation": "Odd"}, {"fieldsType": "Odd"}, {"apiVersion": ""}, {"fieldsV1": {"x": 1}}]
)
def test_owners_that_cannot_be_read_change_nothing(entry: Any) -> None:
    async def test(ask: Asker) -> None:
        made = {"metadata": {"name": "a"}, "data": {"k": "v"}}
        await ask("POST", f"{MAPS}?fieldManager=m", made)
        sound = {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
        meta = {"name": "a", "managedFields": [{**sound, **entry}]}
        told = await ask("PUT", f"{MAPS}/a?fieldManager=n", {**made, "metadata": meta})
        assert [known["manager"] for known in told.body["metadata"]["managedFields"]] == ["m"]

    on_server(test)


def test_owned_fields_are_written_in_upstreams_order() -> None:
    async def test(ask: Asker) -> None:
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o"}, "data": {"b": "1", "a": "1"}}
        await ask("POST", f"{MAPS}?fieldManager=m", made)
        labels = {"metadata": {"labels": {"z": "1", "y": "1"}}}
        told = await ask("PATCH", f"{MAPS}/o?fieldManager=m", labels, kind=MERGE)
        owned = told.body["metadata"]["managedFields"][0]["fieldsV1"]
        assert orjson.dumps(owned) == (
            b'{"f:data":{".":{},"f:a":{},"f:b":{}},"f:metadata":{"f:labels":{".":{},"f:y":{},"f:z":{}}}}'
        )

    on_server(test)


def test_many_operations_that_say_a_thing_twice_are_told_of_in_order_and_in_time() -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", MAPS, {"metadata": {"name": "a"}, "data": {"k": "v"}})
        operation = b'{"op":"add","op":"add","path":"/data/k","value":"w","more":1}'
        patched = await ask("PATCH", f"{MAPS}/a", b"[" + b",".join([operation] * 5000) + b"]", kind=JSON_PATCH)
        assert patched.body["data"] == {"k": "w"}
        told = ["unknown field [0].more", "duplicate field [0].op", "unknown field [1].more"]
        assert [each.replace('\\"', "") for each in patched.warnings[:3]] == [
            f'299 - "json patch {each}"' for each in told
        ]

    on_server(test)
