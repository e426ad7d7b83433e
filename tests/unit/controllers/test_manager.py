"""Which loops there are, and as whom they act."""

import pytest

from kubepy.apiserver.authz.controller_roles import CONTROLLER_ROLES
from kubepy.controllers.manager import CONTROLLERS, account_of, chosen

NAMES = [name for name, _, _ in CONTROLLERS]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "serviceaccount-token"])
def test_every_loop_has_a_role_of_its_account(name: str) -> None:
    assert account_of(name) in CONTROLLER_ROLES


def test_loops_go_by_upstreams_names() -> None:
    asked = [
        "persistentvolumeclaim-protection-controller",
        "persistentvolume-protection-controller",
        "volumeattributesclass-protection-controller",
        "legacy-serviceaccount-token-cleaner-controller",
    ]
    assert chosen(asked, NAMES) == [name.removesuffix("-controller") for name in asked]
