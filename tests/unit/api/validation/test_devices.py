"""What is refused in claims, classes and taint rules of devices, and in what claims are given, in upstream's words."""

from typing import Any

import pytest

from kubepy.api.validation.registry import rules_for

GROUP = "resource.k8s.io"
CLAIM = rules_for(GROUP, "ResourceClaim")
CLASS, TAINT = rules_for(GROUP, "DeviceClass"), rules_for(GROUP, "DeviceTaintRule")
REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
EXACT = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}
REQUESTS = [{"name": "r", "exactly": EXACT}, {"name": "f", "firstAvailable": [{"name": "s", **EXACT}]}]
SHARE = "0e5a1a4e-6a4d-4f3b-8f65-3f1d9a9c8b7a"
RESULT = {"request": "f/s", "driver": "a.b", "pool": "n1/p", "device": "d"}


def claim(status: Any = None, meta: Any = None, **devices: Any) -> Any:
    spec = {"devices": {"requests": REQUESTS, **devices}}
    held = {} if status is None else {"status": status}
    return {"metadata": {"name": "x", "namespace": "n", "resourceVersion": "1", **(meta or {})}, "spec": spec, **held}


def told(faults: Any) -> list[str]:
    return [str(fault) for fault in faults]


def opaque(parameters: Any, driver: str = "a.b") -> Any:
    return {"opaque": {"driver": driver, "parameters": parameters}}


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ({"constraints": [{"requests": ["r", "f", "f/s"], "matchAttribute": "a.b/c"}]}, []),
        ({"constraints": [{"distinctAttribute": "a.b/c"}]}, []),
        ({"config": [opaque({}, "Dra.Example.COM")]}, []),
        ({"constraints": [{"requests": ["r", "no", "a/b/c", "r"]}]},
         [f'spec.devices.constraints[0].requests[1]: Invalid value: "no": {REFERENCE}',
          f'spec.devices.constraints[0].requests[2]: Invalid value: "a/b/c": {REFERENCE}',
          'spec.devices.constraints[0].requests[3]: Duplicate value: "r"',
          'spec.devices.constraints[0]: Required value: exactly one of "matchAttribute" or "distinctAttribute" is '
          "required, but multiple fields are set"]),
        ({"constraints": [{"distinctAttribute": "c"}]},
         ['spec.devices.constraints[0].distinctAttribute: Invalid value: "c": a fully qualified name must be a domain '
          "and a name separated by a slash"]),
        ({"config": [{"requests": ["r"] * 33, **opaque(None)}]},
         ["spec.devices.config[0].requests: Too many: 33: must have at most 32 items",
          "spec.devices.config[0].opaque.parameters: Required value"]),
        ({"config": [opaque([1]), opaque({"a": "b" * 10240})]},
         ['spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
          "spec.devices.config[1].opaque.parameters: Too long: may not be more than 10240 bytes"]),
    ],
)  # fmt: skip
def test_what_claims_ask_for(devices: Any, expected: list[str]) -> None:
    assert told(CLAIM.create(claim(**devices))) == expected


def status_faults(status: Any, before: Any = None, meta: Any = None) -> list[str]:
    assert CLAIM.status is not None
    return told(CLAIM.status(claim(status, meta), claim(before or {}, meta)))


def allocated(*results: Any, **more: Any) -> Any:
    return {"devices": {"results": results or [RESULT], **more}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"allocation": allocated({**RESULT, "driver": "A.b", "shareID": SHARE})}, []),
        ({"allocation": allocated(config=[{"source": "FromClass", "requests": ["r"], **opaque({})}])}, []),
        ({"allocation": allocated({"request": "no", "shareID": SHARE.upper()})},
         [f'status.allocation.devices.results[0].request: Invalid value: "no": {REFERENCE}',
          "status.allocation.devices.results[0].driver: Required value",
          "status.allocation.devices.results[0].pool: Required value",
          'status.allocation.devices.results[0].device: Invalid value: "": a lowercase RFC 1123 label must consist of '
          "lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
          "'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
          f'status.allocation.devices.results[0].shareID: Invalid value: "{SHARE.upper()}": must be a lowercase UUID '
          "in 8-4-4-4-12 format"]),
        ({"allocation": allocated(config=[{"source": "x"}, opaque({})])},
         ['status.allocation.devices.config[0].source: Unsupported value: "x": supported values: "FromClaim", '
          '"FromClass"',
          "status.allocation.devices.config[0].opaque: Required value",
          "status.allocation.devices.config[1].source: Required value"]),
        ({"allocation": {"nodeSelector": {"nodeSelectorTerms": []}}},
         ["status.allocation.nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector "
          "term"]),
        ({"reservedFor": [{"resource": "pods", "name": "p", "uid": "1"}, {"name": "p", "uid": "1"}]},
         ["status.reservedFor[1].resource: Required value",
          'status.reservedFor[1]: Duplicate value: "1"',
          "status.reservedFor: Forbidden: may not be specified when `allocated` is not set"]),
    ],
)  # fmt: skip
def test_what_claims_are_given(status: Any, expected: list[str]) -> None:
    assert status_faults(status) == expected


def test_an_allocation_that_was_stored_is_not_judged_again() -> None:
    odd = allocated({"request": "no"})
    assert status_faults({"allocation": odd}, {"allocation": odd}) == []


def test_a_claim_that_is_to_go_is_reserved_for_nobody_else() -> None:
    first, second = ({"resource": "pods", "name": name, "uid": name} for name in "ab")
    before = {"allocation": allocated(), "reservedFor": [first, second]}
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert status_faults({"allocation": allocated(), "reservedFor": [second]}, before, gone) == []
    assert status_faults({**before, "reservedFor": [first, {**second, "uid": "c"}]}, before, gone) == [
        "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or "
        "`deletionTimestamp` are set"
    ]


DEVICE = {"driver": "a.b", "pool": "n1/p", "device": "d"}
CONDITION = {"type": "Ready", "status": "True", "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ([{**DEVICE, "data": {"a": 1}, "networkData": {"ips": ["10.9.8.7/24", "2001:db8::1/64"]}}], []),
        ([{**DEVICE, "device": "e"}],
         ['status.devices[0]: Invalid value: {"Driver":"a.b","Pool":"n1/p","Device":"e","ShareID":""}: must be an '
          "allocated device in the claim"]),
        ([DEVICE, DEVICE],
         ['status.devices[1]: Duplicate value: {"Driver":"a.b","Pool":"n1/p","Device":"d","ShareID":""}']),
        ([{**DEVICE, "conditions": [{**CONDITION, "type": f"T{number}"} for number in range(9)]}],
         ["status.devices[0].conditions: Too many: 9: must have at most 8 items"]),
        ([{**DEVICE, "data": [1]}],
         ['status.devices[0].data: Invalid value: "<value omitted>": must be a valid JSON object']),
        ([{**DEVICE, "networkData": {"interfaceName": "i" * 257, "hardwareAddress": "h" * 129,
                                     "ips": ["x", "010.9.8.7/24", "::ffff:10.0.0.1/120", "10.0.0.1/24",
                                             "10.0.0.1/24"]}}],
         ["status.devices[0].networkData.interfaceName: Too long: may not be more than 256 bytes",
          "status.devices[0].networkData.hardwareAddress: Too long: may not be more than 128 bytes",
          'status.devices[0].networkData.ips[0]: Invalid value: "x": must be a valid address in CIDR form, (e.g. '
          "10.9.8.7/24 or 2001:db8::1/64)",
          'status.devices[0].networkData.ips[1]: Invalid value: "010.9.8.7/24": must be in canonical form '
          '("10.9.8.7/24")',
          'status.devices[0].networkData.ips[2]: Invalid value: "::ffff:10.0.0.1/120": must be in canonical form '
          '("10.0.0.1/24")',
          'status.devices[0].networkData.ips[4]: Duplicate value: "10.0.0.1/24"']),
    ],
)  # fmt: skip
def test_what_drivers_tell_of_devices(devices: Any, expected: list[str]) -> None:
    before = {"allocation": allocated()}
    assert status_faults({**before, "devices": devices}, before) == expected


def taint_rule(spec: Any = None, **taint: Any) -> Any:
    meta = {"name": "x", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {"taint": {"key": "k", "effect": "NoSchedule", **taint}, **(spec or {})}}


def test_taint_rules() -> None:
    assert told(TAINT.create(taint_rule({"deviceSelector": {"driver": "A.b", "pool": "", "device": "d"}}))) == [
        "spec.deviceSelector.pool: Required value"
    ]
    assert told(TAINT.create(taint_rule(effect="no"))) == [
        'spec.taint.effect: Unsupported value: "no": supported values: "NoExecute", "NoSchedule", "None"'
    ]
    assert told(TAINT.update(taint_rule(effect="no", value="v"), taint_rule(effect="no"))) == []
    assert TAINT.status is not None
    conditions = [{**CONDITION, "type": f"T{number}"} for number in range(9)]
    assert told(TAINT.status({**taint_rule(), "status": {"conditions": conditions}}, taint_rule())) == [
        "status.conditions: Too many: 9: must have at most 8 items"
    ]


def test_classes_are_judged_whole_when_they_change() -> None:
    old = {"metadata": {"name": "x", "resourceVersion": "1"}, "spec": {}}
    new = {**old, "spec": {"config": [{"opaque": {"driver": "a.b"}}]}}
    assert told(CLASS.update(new, old)) == ["spec.config[0].opaque.parameters: Required value"]
