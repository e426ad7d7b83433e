"""Playbooks that can be read, and runs that stop before they change anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PLAYBOOKS = ["site.yml", *sorted(str(path.relative_to(TOP)) for path in (TOP / "playbooks").glob("*.yml"))]


def play(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ansible-playbook of the environment that runs the tests."""
    command = [str(Path(sys.executable).parent / "ansible-playbook"), *arguments]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(TOP / "ansible.cfg")}
    return subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_can_be_read(playbook: str) -> None:
    done = play("--syntax-check", playbook)
    assert done.returncode == 0, done.stderr


def inventory(folder: Path, text: str) -> str:
    (folder / "hosts.yml").write_text(text)
    (folder / "group_vars").symlink_to(TOP / "inventory" / "group_vars")
    return str(folder)


MEMBER = "{hosts: {here: }}"
ONE = "{here: {ansible_connection: local, machine_address: 127.0.0.1, preflight_check_ports: false}}"


def test_a_missing_group_ends_the_run_in_words(tmp_path: Path) -> None:
    path = inventory(
        tmp_path,
        f"all:\n  hosts: {ONE}\n  children: {{etcd: {MEMBER}, kube_control_plane: {MEMBER}}}\n",
    )
    done = play("-i", path, "site.yml")
    assert done.returncode == 2
    assert "Nothing was changed" in done.stdout + done.stderr
    assert "no host in the group kube_node" in done.stdout + done.stderr
    assert "changed=0" in done.stdout


def test_wrong_variables_are_all_told_before_anything_is_changed(tmp_path: Path) -> None:
    path = inventory(
        tmp_path,
        f"all:\n  hosts: {ONE}\n  children: {{etcd: {MEMBER}, kube_control_plane: {MEMBER}, kube_node: {MEMBER}}}\n",
    )
    done = play("-i", path, "site.yml", "-e", "kubelet_max_pods=many", "-e", "cluster_dns_address=10.1.1.1")
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert "kubelet_max_pods" in said
    assert "10.1.1.1 is not in cluster_service_cidr" in said
    assert "changed=0" in done.stdout
