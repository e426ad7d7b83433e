"""Every kind that is kept has rules, and every default is one of a kind that is served."""

import pytest

from kubepy.api import resources
from kubepy.api.defaults import registry as defaults
from kubepy.api.validation.registry import rules_for

SERVED = {(row.api_version, row.kind) for row in resources.BUILT_IN} | {
    (f"{sub.group}/{sub.version}", sub.kind) for row in resources.BUILT_IN for sub in row.subresources if sub.group
}
KEPT = [row for row in resources.BUILT_IN if row.stored_as]


@pytest.mark.parametrize("row", KEPT, ids=lambda row: f"{row.group}-{row.version}-{row.kind}")
def test_a_kind_that_is_kept_has_rules(row: resources.Resource) -> None:
    rules = rules_for(row.group if row.storage_group is None else row.storage_group, row.kind)
    empty = {"metadata": {}}
    assert rules.create(empty), "an object without a name is never right"
    # Faults are told of, not raised, however empty the object.
    assert isinstance(rules.update(empty, empty), list)
    if row.subresource("status"):
        assert rules.status is not None
        assert isinstance(rules.status(empty, empty), list)


def test_an_unknown_kind_has_no_rules() -> None:
    with pytest.raises(KeyError):
        rules_for("example.com", "Widget")


@pytest.mark.parametrize("key", sorted(defaults._DEFAULTS))
def test_defaults_are_of_kinds_that_are_served(key: tuple[str, str]) -> None:
    assert key in SERVED
    obj: dict[str, object] = {}
    defaults.apply_defaults(*key, obj)


def test_a_kind_without_defaults_is_left_alone() -> None:
    obj = {"metadata": {"name": "a"}}
    defaults.apply_defaults("example.com/v1", "Widget", obj)
    assert obj == {"metadata": {"name": "a"}}
