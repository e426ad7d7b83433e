"""The pytest plug-in, in a test run of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kubepy.testing.plugin import namespace_for
from kubepy.testing.process import DevProcess

SUITE = """
import urllib.error

import pytest

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_namespace_of_its_own(kubepy_cluster, kubepy_namespace, number):
    path = f"/api/v1/namespaces/{kubepy_namespace}/configmaps"
    kubepy_cluster.call("POST", path, MAP)
    assert [obj["metadata"]["name"] for obj in kubepy_cluster.call("GET", path)["items"]].count("mine") == 1


def test_the_cluster_is_as_large_as_was_asked_for(kubepy_cluster):
    assert len(kubepy_cluster.call("GET", "/api/v1/nodes")["items"]) == 2
    assert kubepy_cluster.kubeconfig.exists()


def test_what_the_server_refuses_is_an_error(kubepy_cluster):
    with pytest.raises(urllib.error.HTTPError):
        kubepy_cluster.call("GET", "/api/v1/namespaces/default/pods/none")
"""


def test_a_suite_of_somebody_else_s_gets_its_cluster(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nkubepy_nodes = 2\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_the_names_of_namespaces_are_valid_and_new() -> None:
    name = namespace_for("test_Deploy[Web App-1.2]" + "x" * 80)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)
    assert name.startswith("test-deploy-web-app-1-2")
    assert namespace_for("t") != namespace_for("t")
    assert namespace_for("[]").startswith("test-")


def test_a_cluster_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").mkdir()
    with pytest.raises(RuntimeError, match=r"does not start: Error: cannot keep a cluster in .*Is a directory"):
        DevProcess(tmp_path).start()


def test_a_cluster_does_not_outlive_who_started_it(tmp_path: Path) -> None:
    cluster = DevProcess(tmp_path)
    cluster.start()
    assert cluster.process is not None
    assert cluster.process.stdin is not None
    cluster.process.stdin.close()  # as the system does for a process that is gone
    assert cluster.process.wait(10) == 0
    cluster.kill()
