"""Decoding: objects become what upstream's types would hold, and faults are told in its words."""

import base64
import copy
from typing import Any

import orjson
import pytest

from kubepy.api import resources, schemas
from kubepy.api.errors import BadRequest
from kubepy.api.json_text import parse_json

POD = resources.named("pods")
DEPLOYMENT = resources.named("deployments", "apps")


def pod(**spec: Any) -> dict[str, Any]:
    containers = spec.pop("containers", [{"name": "c", "image": "i"}])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers, **spec}}


def fault_of(obj: dict[str, Any], resource: resources.Resource = POD) -> str:
    with pytest.raises(BadRequest) as raised:
        schemas.decode(resource, obj)
    return raised.value.message.partition("cannot be handled as a ")[2].partition(": ")[2]


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (pod(containers="x"), "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type "
                              "[]v1.Container"),
        (pod(containers=[{"name": 5}]),
         "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string"),
        (pod(hostNetwork="yes"),
         "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"),
        (pod(priority=2**31),
         "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32"),
        (pod(priority=1.5),
         "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32"),
        ({**pod(), "spec": "x"}, "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"),
        ({**pod(), "metadata": {"labels": {"a": True}}},
         "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string"),
        (pod(nodeSelector=["a"]),
         "json: cannot unmarshal array into Go struct field PodSpec.spec.nodeSelector of type map[string]string"),
        (pod(containers=[{"resources": {"limits": {"cpu": "1x"}}}]), "unable to parse quantity's suffix"),
        ({**pod(), "metadata": {"creationTimestamp": "today"}},
         'parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006"'),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_is_told_as_upstream_does(obj: dict[str, Any], why: str) -> None:
    assert fault_of(obj) == why


def test_the_message_names_kind_and_version() -> None:
    with pytest.raises(BadRequest) as raised:
        schemas.decode(DEPLOYMENT, {"spec": {"replicas": "3"}})
    assert raised.value.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct '
        "field DeploymentSpec.spec.replicas of type int32"
    )


def test_the_first_fault_in_the_order_of_the_text_is_told() -> None:
    assert "spec.b" not in fault_of({"metadata": {"name": 1}, "spec": 2})
    assert fault_of({"spec": 2, "metadata": {"name": 1}}).endswith("of type v1.PodSpec")


def test_unknown_fields_are_dropped_and_named_with_their_places() -> None:
    obj = pod(containers=[{"name": "c", "imag": "i"}], foo={"bar": 1})
    obj["bar"] = None
    assert schemas.decode(POD, obj) == [
        'unknown field "spec.containers[0].imag"',
        'unknown field "spec.foo"',
        'unknown field "bar"',
    ]
    assert obj["spec"] == {"containers": [{"name": "c", "resources": {}}]}
    assert "bar" not in obj


def test_strict_decoding_refuses_unknown_fields() -> None:
    with pytest.raises(BadRequest) as raised:
        schemas.decode(POD, pod(foo=1), strict=True)
    assert raised.value.message == 'strict decoding error: unknown field "spec.foo"'


def test_null_and_empty_are_absent_where_go_forgets_them() -> None:
    obj = pod(nodeName="", hostNetwork=False, volumes=[], nodeSelector={}, affinity=None)
    obj["metadata"] |= {"labels": {}, "creationTimestamp": None, "generateName": ""}
    schemas.decode(POD, obj)
    assert obj["metadata"] == {"name": "p"}
    assert obj["spec"].keys() == {"containers"}


def test_zero_stays_where_a_pointer_holds_it() -> None:
    obj = pod(terminationGracePeriodSeconds=0, automountServiceAccountToken=False, runtimeClassName="")
    schemas.decode(POD, obj)
    assert obj["spec"]["terminationGracePeriodSeconds"] == 0
    assert obj["spec"]["automountServiceAccountToken"] is False
    assert obj["spec"]["runtimeClassName"] == ""


def test_structs_that_are_no_pointers_and_required_scalars_are_written_out() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "rs"}, "spec": {}}
    schemas.decode(resources.named("replicasets", "apps"), obj)
    assert obj["status"] == {"replicas": 0}
    obj = {"metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": [{}]}}}}
    schemas.decode(DEPLOYMENT, obj)
    assert obj["spec"]["strategy"] == {}
    assert obj["spec"]["template"] == {"metadata": {}, "spec": {"containers": [{"name": "", "resources": {}}]}}


def test_null_inside_lists_and_maps_is_the_zero_value() -> None:
    obj = pod(containers=[None, {"name": "c", "args": ["a", None], "resources": {"limits": {"cpu": None}}}])
    schemas.decode(POD, obj)
    assert obj["spec"]["containers"] == [
        {"name": "", "resources": {}},
        {"name": "c", "args": ["a", ""], "resources": {"limits": {"cpu": "0"}}},
    ]


def test_quantities_and_times_become_canonical() -> None:
    obj = pod(containers=[{"name": "c", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}])
    obj["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05.678+02:00"
    schemas.decode(POD, obj)
    assert obj["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "500m", "memory": "1Gi"}
    assert obj["metadata"]["creationTimestamp"] == "2026-01-02T01:04:05Z"


def test_micro_times_keep_six_digits() -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"renewTime": "2026-01-02T03:04:05.1234567Z"}}
    schemas.decode(resources.named("leases", "coordination.k8s.io"), lease)
    assert lease["spec"]["renewTime"] == "2026-01-02T03:04:05.123456Z"


def test_bytes_are_base64_or_refused() -> None:
    secret = {"data": {"a": base64.encodebytes(b"x" * 100).decode(), "b": "", "c": None}}
    schemas.decode(resources.named("secrets"), secret)
    assert secret["data"] == {"a": base64.b64encode(b"x" * 100).decode(), "b": "", "c": ""}
    assert fault_of({"data": {"a": "%%"}}, resources.named("secrets")) == "illegal base64 data at input byte 0"
    assert fault_of({"data": {"a": "YQ="}}, resources.named("secrets")).startswith("illegal base64 data")


def test_a_port_is_a_number_or_a_name() -> None:
    service = {"spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8080}]}}
    schemas.decode(resources.named("services"), service)
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http", 8080]
    assert "of type int32" in fault_of({"spec": {"ports": [{"targetPort": True}]}}, resources.named("services"))


def test_schemas_inside_of_custom_resource_definitions_are_checked_too() -> None:
    definition = {
        "spec": {"versions": [{"schema": {"openAPIV3Schema": {
            "properties": {"a": {"items": {"type": 5}}}, "default": {"free": [None]},
        }}}]}
    }  # fmt: skip
    row = resources.named("customresourcedefinitions", "apiextensions.k8s.io")
    assert "JSONSchemaProps" in fault_of(definition, row)


@pytest.mark.parametrize("row", resources.BUILT_IN, ids=lambda row: f"{row.api_version}/{row.kind}")
def test_decoding_an_empty_object_of_any_kind_is_stable(row: resources.Resource) -> None:
    obj: dict[str, Any] = {"apiVersion": row.api_version, "kind": row.kind, "metadata": {"name": "a"}, "spec": {}}
    schemas.decode(row, obj)
    again = copy.deepcopy(obj)
    assert schemas.decode(row, again) == []
    assert again == obj


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":{"b":1,"c":2},"d":[{"b":1}]}', []),
        ('{"a":{"b":1,"b":2}}', ['duplicate field "a.b"']),
        ('{"a":[{"b" : 1,"b":2,"b":3}]}', ['duplicate field "a[0].b"']),
        ('{"a":"x\\":","b":"y\\\\"}', []),
        ('{"a":"x\\":","a":"y"}', ['duplicate field "a"']),
        ('{"a\\\\":1,"a\\\\":2}', ['duplicate field "a\\"']),
    ],
)
def test_repeated_fields_are_found_in_the_text(text: str, found: list[str]) -> None:
    assert schemas.duplicate_fields(text.encode(), orjson.loads(text)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "unexpected end of JSON input"),
        (" ", "unexpected end of JSON input"),
        ('{"a":', "unexpected end of JSON input"),
        ('{"a', "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ('{"a":}', "invalid character '}' looking for beginning of value"),
        ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":"[" "b"}', "invalid character '\"' after object key:value pair"),
        ("[[1] 2]", "invalid character '2' after array element"),
        ("{}{}", "invalid character '{' after top-level value"),
        ("'a'", "invalid character '\\'' looking for beginning of value"),
        ("\x01", "invalid character '\\u0001' looking for beginning of value"),
    ],
)
def test_text_that_is_no_json_is_told_as_go_does(text: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # the whole text is compared below
        parse_json(text.encode())
    assert str(raised.value) == why


def test_what_is_nested_too_deep_to_be_stored_is_refused() -> None:
    assert parse_json(b"[" * 200 + b"]" * 200)
    assert parse_json(b"[" + b"[]," * 500 + b"1]")
    with pytest.raises(ValueError, match="exceeded max depth"):
        parse_json(b"[" * 500 + b"]" * 500)
    nested: dict[str, Any] = {}
    for _ in range(2000):
        nested = {"properties": {"a": nested}}
    row = resources.named("customresourcedefinitions", "apiextensions.k8s.io")
    assert fault_of({"spec": {"versions": [{"schema": {"openAPIV3Schema": nested}}]}}, row) == "exceeded max depth"


@pytest.mark.parametrize(
    ("api_version", "kind", "given", "held"),
    [
        ("apps/v1", "StatefulSet", {"spec": {"ordinals": {}}}, {"spec": {"ordinals": {"start": 0}}}),
        ("resource.k8s.io/v1", "ResourceClaim", {"spec": {}}, {"spec": {"devices": {"requests": None}}}),
        ("storage.k8s.io/v1", "CSINode", {"spec": {"drivers": []}}, {"spec": {"drivers": []}, "status": {}}),
        ("networking.k8s.io/v1", "IPAddress", {"spec": {}}, {"spec": {}}),
        ("v1", "Node", {"status": {"runtimeHandlers": [{}]}}, {"status": {"runtimeHandlers": [{"name": ""}]}}),
        (
            "v1",
            "Pod",
            {"spec": {"containers": [{"name": "c", "env": [{"name": "e", "valueFrom": {"resourceFieldRef": {}}}]}]}},
            {"spec": {"containers": [{"name": "c", "resources": {}, "env": [
                {"name": "e", "valueFrom": {"resourceFieldRef": {"resource": "", "divisor": "0"}}},
            ]}]}},
        ),
    ],
)  # fmt: skip
def test_what_go_writes_although_it_is_optional_is_there(
    api_version: str, kind: str, given: dict[str, Any], held: dict[str, Any]
) -> None:
    schemas.decode_kind(api_version, kind, given)
    for part, value in held.items():
        assert value.items() <= given[part].items()


def test_a_count_that_go_omits_is_absent() -> None:
    autoscaler: dict[str, Any] = {"status": {"currentReplicas": 0}}
    schemas.decode_kind("autoscaling/v2", "HorizontalPodAutoscaler", autoscaler)
    assert autoscaler["status"] == {"currentMetrics": None, "desiredReplicas": 0}


def test_times_and_lists_that_are_always_written_are_null_when_there_are_none() -> None:
    event: dict[str, Any] = {"firstTimestamp": "2026-01-02T03:04:05Z"}
    schemas.decode_kind("v1", "Event", event)
    assert [event[field] for field in ("eventTime", "firstTimestamp", "lastTimestamp")] == [
        None, "2026-01-02T03:04:05Z", None,
    ]  # fmt: skip
    pod: dict[str, Any] = {"status": {"conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}]}}
    for _ in range(2):
        schemas.decode_kind("v1", "Pod", pod)
        ready = {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}
        assert pod["status"]["conditions"] == [ready]
    slices: dict[str, Any] = {"endpoints": [], "addressType": "IPv4"}
    schemas.decode_kind("discovery.k8s.io/v1", "EndpointSlice", slices)
    assert slices == {"endpoints": None, "ports": None, "addressType": "IPv4", "metadata": {}}
