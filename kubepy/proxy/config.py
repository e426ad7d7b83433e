"""The proxy's settings: upstream's flags and its configuration file, checked together.

Source: the kube-proxy command-line reference; kubeproxy.config.k8s.io/v1alpha1.
"""

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubepy.lib.flags import Flag, FlagError, parse

FLAGS: Sequence[Flag] = (
    Flag("config", "string", "", "KubeProxyConfiguration file; it wins over the flags that it covers."),
    Flag("kubeconfig", "string", "", "Kubeconfig with authorization and API server location."),
    Flag("hostname-override", "string", "", "Name of this node; the machine's name by default."),
    Flag("cluster-cidr", "string", "", "Range of pod addresses; other sources are masqueraded to Services."),
    Flag("proxy-mode", "string", "nftables", "nftables is the only mode."),
    Flag("healthz-bind-address", "string", "0.0.0.0:10256", "Address and port of /healthz; empty turns it off."),
    Flag("metrics-bind-address", "string", "127.0.0.1:10249", "Address and port of /metrics; empty turns it off."),
    Flag("pod-network", "bool", False, "Also keep the ways to other nodes' pods: routes, or VXLAN between segments."),
    Flag("v", "int", 0, "Verbosity of the log."),
)
_FILE_FIELDS = {
    "clusterCIDR": "cluster-cidr",
    "hostnameOverride": "hostname-override",
    "mode": "proxy-mode",
    "healthzBindAddress": "healthz-bind-address",
    "metricsBindAddress": "metrics-bind-address",
}
_MODES = ("", "nftables")
_DEFAULTED = {
    "bindAddress", "bindAddressHardFail", "clientConnection", "configSyncPeriod", "conntrack", "detectLocal",
    "detectLocalMode", "enableProfiling", "featureGates", "iptables", "ipvs", "logging", "nftables",
    "nodePortAddresses", "oomScoreAdj", "portRange", "showHiddenMetricsForVersion", "winkernel",
}  # fmt: skip
"""Fields of the file that may be there only with their zero value: what they would change is not supported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """The command line and the file, by flag name."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read(argv: Sequence[str]) -> ProxyConfig:
    """The settings of a command line. Raises FlagError with every fault."""
    values = parse(FLAGS, argv)
    faults: list[str] = []
    if values["config"]:
        values |= _read_file(values["config"], faults)
    if values["proxy-mode"] not in _MODES:
        faults.append(f"mode {values['proxy-mode']!r} is not supported: nftables is")
    values["hostname-override"] = (values["hostname-override"] or socket.gethostname()).lower()
    if not values["kubeconfig"]:
        faults.append("--kubeconfig is required, or clientConnection.kubeconfig in the file")
    elif not Path(values["kubeconfig"]).is_file():
        faults.append(f"--kubeconfig: no such file: {values['kubeconfig']}")
    try:
        if values["cluster-cidr"]:
            ipaddress.IPv4Network(values["cluster-cidr"])
        elif values["pod-network"]:
            faults.append("--pod-network needs --cluster-cidr")
    except ValueError as error:
        faults.append(f"--cluster-cidr: {error}")
    for name in ("healthz-bind-address", "metrics-bind-address"):
        if values[name] and not values[name].rpartition(":")[2].isdigit():
            faults.append(f"--{name}: {values[name]!r} is not address:port")
    if faults:
        raise FlagError(faults)
    return ProxyConfig(values=values)


def _read_file(path: str, faults: list[str]) -> dict[str, Any]:
    try:
        document = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        faults.append(f"--config: {error}")
        return {}
    if not isinstance(document, dict) or document.get("kind") != "KubeProxyConfiguration":
        faults.append(f"--config: {path} is not a KubeProxyConfiguration")
        return {}
    if document.get("apiVersion") != "kubeproxy.config.k8s.io/v1alpha1":
        faults.append("--config: apiVersion: must be kubeproxy.config.k8s.io/v1alpha1")
    found = {flag: document[name] for name, flag in _FILE_FIELDS.items() if name in document}
    client = dict(document.get("clientConnection") or {})
    if client.get("kubeconfig"):
        found["kubeconfig"] = client.pop("kubeconfig")
    for name, value in {**document, "clientConnection": client}.items():
        if name in ("apiVersion", "kind", *_FILE_FIELDS):
            continue
        if name not in _DEFAULTED:
            faults.append(f"--config: {name}: no such field")
        elif not _is_zero(value):
            faults.append(f"--config: {name}: not supported")
    return found


def _is_zero(value: Any) -> bool:
    """The value says nothing: empty, or made of what is."""
    if isinstance(value, Mapping):
        return all(map(_is_zero, value.values()))
    return value in (None, "", 0, False, [], "0s", "0.0.0.0", "::")
