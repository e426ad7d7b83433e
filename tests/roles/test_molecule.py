"""Each role on a machine of its own kind: converge, a second run that changes nothing, and a question to the service.

The roles share one machine and run in the order of the site, each standing on what the earlier ones left.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROLES = (
    "preflight", "kubepy", "pki", "etcd", "kube_apiserver", "kube_controller_manager", "kube_scheduler", "kubectl",
    "docker", "kubelet", "network", "kube_proxy", "dns",
)  # fmt: skip


def molecule(role: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run molecule of the environment that runs the tests, in a role's folder."""
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "KUBEPY_PREPARED": "1", "NO_COLOR": "1"}
    command = [str(tools / "molecule"), *arguments]
    folder = TOP / "roles" / role
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", autouse=True)
def machine() -> Iterator[None]:
    """A fresh machine, removed afterwards."""
    for role in ROLES:
        molecule(role, "reset")
    molecule(ROLES[0], "destroy")
    yield
    molecule(ROLES[0], "destroy")


def test_every_role_has_a_scenario() -> None:
    found = {path.parents[2].name for path in (TOP / "roles").glob("*/molecule/default/molecule.yml")}
    assert found == set(ROLES)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_converges_is_idempotent_and_serves(role: str) -> None:
    done = molecule(role, "test", "--destroy=never")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
