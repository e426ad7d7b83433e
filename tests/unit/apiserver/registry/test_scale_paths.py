"""Where a scale subresource finds its numbers."""

from kubepy.apiserver.registry.scale_paths import faults_of_scale

SCALE = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n", "labelSelectorPath": ".status.selector"}


def test_numbers_and_the_selector_are_such() -> None:
    assert faults_of_scale(SCALE, {"spec": {"n": 1}, "status": {"n": 0, "selector": "a=b"}}) == []
    assert faults_of_scale(SCALE, {}) == []
    obj = {"spec": {"n": 2**31}, "status": {"n": "1", "selector": True}}
    assert [str(fault) for fault in faults_of_scale(SCALE, obj)] == [
        ".spec.n: Invalid value: 2147483648: should be less than or equal to 2147483647",
        ".status.n: Invalid value: 0: .status.n accessor error: 1 is of the type string, expected int64",
        '.status.selector: Invalid value: "": .status.selector accessor error: true is of the type bool, '
        "expected string",
    ]
