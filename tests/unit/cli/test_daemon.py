"""What the command lines of all daemons share."""

from collections.abc import Callable, Sequence

import pytest

from kubepy.cli import kube_apiserver, kube_controller_manager, kube_proxy, kube_scheduler


@pytest.mark.parametrize(
    "main", [kube_apiserver.main, kube_controller_manager.main, kube_proxy.main, kube_scheduler.main]
)
def test_a_daemon_tells_its_version_as_upstream_does(
    main: Callable[[Sequence[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "Kubernetes v1.37.0\n"
