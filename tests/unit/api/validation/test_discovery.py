"""What is told of EndpointSlices: the type and the number of addresses last."""

import pytest

from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for
from tests.unit.api.validation.test_other_groups import made

RULES = rules_for("discovery.k8s.io", "EndpointSlice")
MANY = {"addresses": [f"10.0.0.{n}" for n in range(101)]}


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"endpoints": [{}, MANY], "addressType": "X", "ports": [{"name": "A", "protocol": ""}]},
         ["ports[0].name", "ports[0].protocol", "addressType", "endpoints[0].addresses", "endpoints[1].addresses"]),
        ({"endpoints": [{"nodeName": "N"}]}, ["endpoints[0].nodeName", "endpoints[0].addresses"]),
    ],
)  # fmt: skip
def test_a_slice_is_told_of_in_order(changes: Object, want: list[str]) -> None:
    assert [fault.field for fault in RULES.create(made("EndpointSlice", changes))] == want


def test_what_a_slice_must_have_is_said_in_few_words() -> None:
    missing = made("EndpointSlice", {"endpoints": [{}], "addressType": ""})
    assert [str(fault) for fault in RULES.create(missing)] == [
        "addressType: Required value",
        "endpoints[0].addresses: Required value",
    ]


def test_the_type_of_addresses_stays() -> None:
    new = made("EndpointSlice", {"addressType": "X", "endpoints": []})
    assert [str(fault) for fault in RULES.update(new, made("EndpointSlice"))] == [
        'addressType: Invalid value: "X": field is immutable',
        'addressType: Unsupported value: "X": supported values: "FQDN", "IPv4", "IPv6"',
    ]


@pytest.mark.parametrize("name", ["foo.example.com", "example.com", "example.com.", "hyphens-are-good.example.com"])
def test_a_name_with_a_domain_is_an_address(name: str) -> None:
    assert RULES.create(made("EndpointSlice", {"addressType": "FQDN", "endpoints": [{"addresses": [name]}]})) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "Required value"),
        ("com.", 'Invalid value: "com": should be a domain with at least two segments separated by dots'),
        ("*.example.com",
         'Invalid value: "*.example.com": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
         "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
         "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"),
        ("x" * 64 + ".com", f'Invalid value: "{"x" * 64}": must be no more than 63 characters'),
    ],
)  # fmt: skip
def test_another_name_is_none(name: str, why: str) -> None:
    faults = RULES.create(made("EndpointSlice", {"addressType": "FQDN", "endpoints": [{"addresses": [name]}]}))
    assert [str(fault) for fault in faults] == [f"endpoints[0].addresses[0]: {why}"]
