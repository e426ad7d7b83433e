"""Versions of the API that are turned on and off."""

import pytest

from kubepy.apiserver.config.api_enablement import enablement_faults


@pytest.mark.parametrize(
    "key",
    ["api/all=true", "api/beta=true", "api/alpha=false", "v1=true", "apps/v1=true", "apps/v1=", "batch/v1beta1=false"],
)
def test_what_changes_nothing_is_taken(key: str) -> None:
    name, _, text = key.partition("=")
    assert [*enablement_faults({name: text})] == []


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("magic/v1=true", "unknown api groups magic"),
        ("batch/v2alpha1=true", "group version batch/v2alpha1 that has not been registered"),
        ("apiall=true", "runtime-config invalid key apiall"),
        ("apps/v1=maybe", "invalid value of apps/v1: maybe"),
        ("apps/v1=false", "--runtime-config apps/v1=false is not supported: stable versions are always served"),
        ("api/all=false", "--runtime-config api/all=false is not supported: stable versions are always served"),
    ],
)
def test_what_cannot_be_had_is_told(key: str, fault: str) -> None:
    name, _, text = key.partition("=")
    assert [*enablement_faults({name: text})] == [fault]
