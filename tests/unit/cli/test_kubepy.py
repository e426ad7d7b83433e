"""The command lines: what is asked for is told, what is wrong is refused in a sentence each."""

import importlib
from importlib.metadata import version
from pathlib import Path

import pytest

from kubepy.cli import kubepy

DAEMONS = ["dev", "dns", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"]
Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(words: list[str], capsys: Captured) -> None:
    assert kubepy.main(words) == 0
    told = capsys.readouterr().out
    assert [name for name in [*DAEMONS, "version"] if f"\n  {name} " not in told] == []


def test_the_version_is_the_package_s(capsys: Captured) -> None:
    assert kubepy.main(["version"]) == 0
    assert capsys.readouterr().out == f"kubepy {version('kubepy')}\n"


def test_an_unknown_command_is_refused(capsys: Captured) -> None:
    assert kubepy.main(["fly"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Error: unknown command 'fly' for kubepy; `kubepy --help` lists them\n"


@pytest.mark.parametrize("command", DAEMONS)
def test_every_command_tells_its_flags(command: str, capsys: Captured) -> None:
    assert kubepy.main([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert "Usage:\n" in told
    assert "      --" in told


@pytest.mark.parametrize("command", DAEMONS)
def test_every_command_refuses_a_flag_that_there_is_not(command: str, capsys: Captured) -> None:
    assert kubepy.main([command, "--no-such-flag=1"]) == 1
    captured = capsys.readouterr()
    assert "Error: unknown flag: --no-such-flag\n" in captured.err
    assert captured.out == ""


def test_all_faults_of_a_command_line_are_told_at_once(capsys: Captured) -> None:
    assert kubepy.main(["dev", "--nodes=-1", "--port=70000"]) == 1
    faults = capsys.readouterr().err.splitlines()
    assert faults == ["Error: --nodes must be from 0 to 10000", "Error: --port must be from 0 to 65535"]


def test_a_check_starts_nothing(capsys: Captured) -> None:
    assert kubepy.main(["dev", "--nodes=3", "--check-config"]) == 0
    assert kubepy.main(["dev", "--nodes=many", "--check-config"]) == 1
    assert 'invalid argument "many" for "--nodes"' in capsys.readouterr().err


def test_a_check_reads_the_files_that_are_named(tmp_path: Path, capsys: Captured) -> None:
    settings = tmp_path / "scheduler.yaml"
    settings.write_text("apiVersion: kubescheduler.config.k8s.io/v1\nkind: Something\n")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    words = ["kube-scheduler", f"--config={settings}", f"--kubeconfig={kubeconfig}", "--check-config"]
    assert kubepy.main(words) == 1
    assert capsys.readouterr().err == "Error: --config: kind: must be KubeSchedulerConfiguration\n"
    settings.write_text("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n")
    assert kubepy.main(words) == 0


@pytest.mark.parametrize("command", DAEMONS)
def test_every_command_can_be_started_as_a_module_too(command: str) -> None:
    module = importlib.import_module(f"kubepy.cli.{command.replace('-', '_')}")
    assert callable(module.main)
