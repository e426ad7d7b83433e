"""Every kind that is stored or asked by creating has rules, and defaults belong to kinds that are served."""

import pytest

from kubepy.api import resources
from kubepy.api.defaults import registry as defaults
from kubepy.api.resources import Resource
from kubepy.api.validation.registry import rules_for

WRITTEN = [row for row in resources.BUILT_IN if "create" in row.verbs]


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: f"{row.kind}.{row.version}.{row.group}")
def test_every_kind_that_can_be_written_has_rules(row: Resource) -> None:
    rules = rules_for(row.group, row.kind)
    if row.subresource("status"):
        assert rules.status is not None


def test_defaults_belong_to_kinds_of_the_api() -> None:
    served = {(row.api_version, row.kind) for row in resources.BUILT_IN}
    of_subresources = {("autoscaling/v1", "Scale"), ("authentication.k8s.io/v1", "TokenRequest")}
    assert set(defaults._DEFAULTS) - served <= of_subresources
