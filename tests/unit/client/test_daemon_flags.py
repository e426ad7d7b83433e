"""Flags that the daemons of the control plane share, as kubeadm's manifests have them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepy.controllers import config as manager
from kubepy.lib.flags import FlagError
from kubepy.scheduler import config as scheduler

READERS: Sequence[Callable[[Sequence[str]], Any]] = (manager.read, scheduler.read)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    (tmp_path / "daemon.conf").write_text("apiVersion: v1\nkind: Config\n")
    return f"--kubeconfig={tmp_path / 'daemon.conf'}"


@pytest.mark.parametrize("read", READERS)
def test_flags_of_upstreams_manifests_are_taken(read: Callable[[Sequence[str]], Any], kubeconfig: str) -> None:
    config = read(
        [
            kubeconfig,
            "--bind-address=127.0.0.1",
            "--leader-elect=true",
            "--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
            "--profiling=false",
            "--kube-api-qps=50",
            "--tls-min-version=VersionTLS13",
            "--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "--logging-format=json",
        ]
    )
    assert (config["tls-min-version"], config["logging-format"]) == ("VersionTLS13", "json")


@pytest.mark.parametrize("read", READERS)
def test_values_that_are_not_known_are_told(read: Callable[[Sequence[str]], Any], kubeconfig: str) -> None:
    with pytest.raises(FlagError) as caught:
        read([kubeconfig, "--tls-min-version=SSL3", "--tls-cipher-suites=NONE", "--logging-format=xml"])
    assert caught.value.faults == [
        '--tls-min-version: unknown tls version "SSL3", use VersionTLS12 or VersionTLS13',
        "--tls-cipher-suites: Cipher suite NONE not supported or doesn't exist",
        'format: Invalid value: "xml": Unsupported log format',
    ]
