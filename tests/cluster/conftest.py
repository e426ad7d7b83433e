"""One sandbox for all tests of this folder: made by the playbooks, as a user makes it, and removed at the end."""

import os
from collections.abc import Iterator

import docker
import pytest

from tests.cluster.machines import KUBECONFIG, NODES, Kubectl, Sandbox, eventually, play
from tests.kubectls import find_kubectls

KUBECTLS = find_kubectls()
KEEP = "KUBEPY_KEEP_SANDBOX"
"""Set in the environment, it leaves the machines there, to look around, and takes those that are there as they are."""


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    if not (os.environ.get(KEEP) and KUBECONFIG.exists()):
        play("playbooks/sandbox.yml")
        play("-i", "inventory/sandbox", "site.yml")
    found = Sandbox(docker.from_env())
    for version in ("v1", "v2"):
        found.load_image(version)
    yield found
    if not os.environ.get(KEEP):
        play("playbooks/sandbox.yml", "-e", "sandbox_state=absent")


@pytest.fixture(scope="session")
def admin(sandbox: Sandbox) -> Kubectl:
    """The newest kubectl, once both nodes are Ready and names can be looked up."""
    kubectl = Kubectl(KUBECTLS[-1])
    for node in NODES:
        kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=60s")
    eventually(
        lambda: kubectl("-n", "kube-system", "rollout", "status", "deployment/kube-dns", "--timeout=60s"),
        "cluster DNS",
    )
    return kubectl
