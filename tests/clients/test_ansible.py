"""The modules of kubernetes.core, run by ansible-playbook."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubepy.testing.process import DevProcess
from tests.clients.collection import collections_path

_WITHIN_S = 240
pytestmark = pytest.mark.timeout(_WITHIN_S + 60)  # each task of the playbook is a process


@pytest.fixture(scope="module")
def answers(kubepy_cluster: DevProcess, kubeconfig: str, node_kubeconfig: str, tmp_path_factory: Any) -> Any:
    """What each module answered, by the name that it was registered under."""
    folder: Path = tmp_path_factory.mktemp("ansible")
    kubepy_cluster.create_namespace("ansible")
    given = {
        "node_kubeconfig": node_kubeconfig,
        "project": "ansible",
        "answers": str(folder / "answers.json"),
        "ansible_python_interpreter": sys.executable,
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local"]
    command += ["-e", json.dumps(given), str(Path(__file__).with_name("modules.yml"))]
    settings = {
        "K8S_AUTH_KUBECONFIG": kubeconfig,
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
    }
    environment = {**os.environ, **settings}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_WITHIN_S, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    yield json.loads((folder / "answers.json").read_text())
    kubepy_cluster.delete_namespace("ansible")


def test_k8s_makes_changes_and_keeps(answers: Any) -> None:
    assert answers["planned"]["changed"]
    assert answers["made"]["result"]["status"]["availableReplicas"] == 1
    assert not answers["again"]["changed"]
    assert answers["changed"]["diff"]["after"]["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    entries = answers["applied"]["result"]["metadata"]["managedFields"]
    assert ("ansible", "Apply") in [(entry["manager"], entry["operation"]) for entry in entries]
    assert answers["deleted"]["changed"]


def test_k8s_tells_why_it_was_refused(answers: Any) -> None:
    assert answers["refused"]["failed"]
    assert "a lowercase RFC 1123 subdomain must consist of" in answers["refused"]["msg"]


def test_workloads_roll_back_and_scale(answers: Any) -> None:
    assert answers["rolled"]["changed"]
    assert answers["scaled"]["result"]["spec"]["replicas"] == 2
    assert len(answers["pods"]["resources"]) == 2


def test_nodes_are_tainted_and_drained(answers: Any) -> None:
    assert "clients.example.com/key" in [taint["key"] for taint in answers["tainted"]["result"]["spec"]["taints"]]
    assert "node node-0 marked unschedulable." in answers["drained"]["result"]


def test_what_there_is_can_be_asked(answers: Any) -> None:
    assert answers["cluster"]["version"]["server"]["kubernetes"]["gitVersion"].startswith("v1.37")
    assert "apps/v1" in set(answers["cluster"]["apis"])
    assert answers["service"]["result"]["spec"]["clusterIP"] == answers["looked_up"]["spec"]["clusterIP"]


def test_pods_are_reached(answers: Any) -> None:
    assert (answers["executed"]["stdout"], answers["executed"]["return_code"]) == ("one\n", 3)
    assert answers["log"]["log"] == "this is a test\n"
    assert answers["copied"]["changed"]
