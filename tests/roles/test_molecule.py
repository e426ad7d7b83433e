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
    "preflight", "kubepy", "pki", "etcd", "kube_apiserver", "kubectl", "kube_controller_manager", "kube_scheduler",
    "docker", "kubelet", "network", "kube_proxy", "dns",
)  # fmt: skip


def molecule(role: str, state: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run molecule of the environment that runs the tests, in a role's folder."""
    tools = Path(sys.executable).parent
    own = {"KUBEPY_PREPARED": "1", "MOLECULE_EPHEMERAL_DIRECTORY": str(state / role), "NO_COLOR": "1"}
    environment = {**os.environ, **own, "PATH": f"{tools}:{os.environ['PATH']}"}
    command = [str(tools / "molecule"), *arguments]
    folder = TOP / "roles" / role
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where molecule keeps what it knows, for a machine that is fresh, and removed afterwards."""
    folder = tmp_path_factory.mktemp("molecule")
    molecule(ROLES[0], folder, "destroy")
    yield folder
    molecule(ROLES[0], folder, "destroy")


def test_every_role_has_a_scenario() -> None:
    found = {path.parents[2].name for path in (TOP / "roles").glob("*/molecule/default/molecule.yml")}
    assert found == set(ROLES)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_converges_is_idempotent_and_serves(role: str, state: Path) -> None:
    done = molecule(role, state, "test", "--destroy=never")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
