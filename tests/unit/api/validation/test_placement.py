"""What is refused in affinities, tolerations and topology spread, and in pods for Windows."""

from typing import Any

import pytest

from kubepy.api.validation.affinity import validate_affinity, validate_tolerations, validate_topology_spread
from kubepy.api.validation.windows import validate_host_process, validate_os, validate_windows_options

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def texts(errors: Any) -> list[str]:
    return [str(fault) for fault in errors]


@pytest.mark.parametrize(
    ("affinity", "expected"),
    [
        ({REQUIRED: {"nodeSelectorTerms": []}},
         [f"{REQUIRED}.nodeSelectorTerms: Required value: must have at least one node selector term"]),
        ({REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]}},
         [f"{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when "
          f"`operator` is "
          "'In' or 'NotIn'"]),
        ({REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": []}]}]}},
         [f"{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified single value "
          f"when "
          "`operator` is 'Lt' or 'Gt'"]),
        ({REQUIRED: {"nodeSelectorTerms": [{"matchFields": [{"key": "x", "operator": "Exists"}]}]}},
         [f'{REQUIRED}.nodeSelectorTerms[0].matchFields[0].operator: Invalid value: "Exists": not a valid selector '
          f'operator',
          f'{REQUIRED}.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "x": not a valid field selector key']),
        ({PREFERRED: [{"weight": 101, "preference": {"matchExpressions": [{"key": "a", "operator": "In",
                                                                          "values": ["-never-"]}]}}]},
         [f"{PREFERRED}[0].weight: Invalid value: 101: must be in the range 1-100"]),
    ],
)  # fmt: skip
def test_node_affinity_is_judged(affinity: Any, expected: list[str]) -> None:
    found = texts(validate_affinity({"nodeAffinity": affinity}, "a"))
    assert found == [f"a.nodeAffinity.{text}" for text in expected]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ({"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}, []),
        ({"topologyKey": "zone",
          "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
         ["labelSelector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or "
          "'DoesNotExist'"]),
        ({"topologyKey": "zone", "matchLabelKeys": ["a"]},
         ["matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"]),
        ({"topologyKey": "zone", "labelSelector": {}, "matchLabelKeys": ["a"], "mismatchLabelKeys": ["a"]},
         ['matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys']),
    ],
)  # fmt: skip
def test_pod_affinity_is_judged(term: Any, expected: list[str]) -> None:
    found = texts(validate_affinity({"podAntiAffinity": {REQUIRED: [term]}}, "a"))
    assert found == [f"a.podAntiAffinity.{REQUIRED}[0].{text}" for text in expected]


def test_a_pod_affinity_needs_a_topology() -> None:
    found = texts(validate_affinity({"podAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": {}}]}}, "a"))
    assert found[0] == f"a.podAffinity.{PREFERRED}[0].podAffinityTerm.topologyKey: Required value: can not be empty"


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"operator": "Exists"}, []),
        ({"value": "x"},
         ['operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and '
          'all '
          'keys"']),
        ({"operator": "Exists", "value": "x"},
         ['operator: Invalid value: "x": value must be empty when `operator` is \'Exists\'']),
        ({"key": "a", "tolerationSeconds": 1},
         ['effect: Invalid value: "": effect must be \'NoExecute\' when `tolerationSeconds` is set']),
        ({"key": "a", "effect": "X"},
         ['effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"']),
        ({"key": "a", "operator": "Lt", "value": "1"},
         ['operator: Unsupported value: "Lt": supported values: "Equal", "Exists"']),
    ],
)  # fmt: skip
def test_a_toleration_is_judged(toleration: Any, expected: list[str]) -> None:
    assert texts(validate_tolerations([toleration], "t")) == [f"t[0].{text}" for text in expected]


SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "X"},
         ["maxSkew: Invalid value: 0: must be greater than zero", "topologyKey: Required value: can not be empty",
          'whenUnsatisfiable: Unsupported value: "X": supported values: "DoNotSchedule", "ScheduleAnyway"']),
        ({"whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2},
         ["minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
          "ScheduleAnyway"]),
        ({"nodeTaintsPolicy": "X"}, ['nodeTaintsPolicy: Unsupported value: "X": supported values: "Honor", "Ignore"']),
        ({"matchLabelKeys": ["a"], "labelSelector": {"matchLabels": {"a": "b"}}}, []),
        ({"matchLabelKeys": ["-"]},
         ['matchLabelKeys[0]: Invalid value: "-": name part must consist of alphanumeric characters, \'-\', \'_\' or '
          "'.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
          "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"]),
    ],
)  # fmt: skip
def test_topology_spread_is_judged(change: Any, expected: list[str]) -> None:
    assert texts(validate_topology_spread([{**SPREAD, **change}], "s")) == [f"s[0].{text}" for text in expected]


def test_what_the_server_merged_is_not_also_the_user_s() -> None:
    merged = {"key": "a", "operator": "In", "values": ["b"]}
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [merged]}
    twice = {**SPREAD, "matchLabelKeys": ["a"], "labelSelector": selector}
    assert texts(validate_topology_spread([twice], "s")) == [
        's[0][0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector'
    ]
    assert validate_topology_spread([{**twice, "labelSelector": {"matchExpressions": [merged]}}], "s") == []


def test_a_spread_is_not_asked_for_twice() -> None:
    assert texts(validate_topology_spread([SPREAD, SPREAD], "s")) == [
        's[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"'
    ]


@pytest.mark.parametrize(
    ("user", "fault"),
    [
        ("Administrator", None),
        ("DOMAIN\\me", None),
        ("", " cannot be an empty string"),
        ("a\\b\\c", " cannot contain more than one backslash"),
        ("DOMAIN\\", "'s User cannot be empty"),
        ("...", "'s User cannot contain only periods or spaces"),
        (".a\\me", "'s Domain doesn't match the NetBios nor the DNS format"),
        ("a\tb", " cannot contain control characters"),
    ],
)
def test_a_windows_user_is_judged(user: str, fault: str | None) -> None:
    found = [error.message for error in validate_windows_options({"runAsUserName": user}, "w")]
    assert [text.rpartition("runAsUserName")[2] for text in found] == ([] if fault is None else [fault])


def test_host_process_is_for_all_containers_of_a_pod() -> None:
    process = {"securityContext": {"windowsOptions": {"hostProcess": True}}}
    both = [("c[0]", process), ("c[1]", {})]
    assert texts(validate_host_process({}, "spec", both)) == [
        'spec: Invalid value: "": If pod contains any hostProcess containers then all containers must be HostProcess '
        "containers",
        "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
    ]


def test_what_only_linux_has_is_refused_for_windows() -> None:
    context = {"privileged": True}
    spec = {"os": {"name": "windows"}, "securityContext": {"fsGroup": 1}, "hostUsers": False}
    assert texts(validate_os(spec, "spec", [("spec.containers[0]", {"securityContext": context})])) == [
        "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod",
        "spec.hostUsers: Forbidden: cannot be set for a windows pod",
        "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod",
    ]
