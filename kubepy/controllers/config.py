"""The controller manager's settings: upstream's flags, checked together.

Source: the kube-controller-manager command-line reference.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubepy.client import daemon_flags, delegated, leader
from kubepy.lib.flags import Flag, FlagError, parse

FLAGS: Sequence[Flag] = (
    Flag("kubeconfig", "string", "", "Kubeconfig with authorization and API server location."),
    *delegated.FLAGS,
    Flag("bind-address", "string", "127.0.0.1", "Address that the secure port listens on."),
    Flag("secure-port", "int", 10257, "Port for health and metrics; 0 turns them off."),
    Flag("tls-cert-file", "string", "", "Certificate of the secure port; self-signed when empty."),
    Flag("tls-private-key-file", "string", "", "Key of that certificate."),
    Flag("controllers", "list", ["*"], "Controllers to run: '*' for all, 'name' to add one, '-name' to leave one out."),
    Flag("cluster-name", "string", "kubernetes", "Name of the cluster."),
    Flag("cluster-cidr", "string", "", "Range of pod addresses; needs --allocate-node-cidrs."),
    Flag("allocate-node-cidrs", "bool", False, "Give nodes ranges of pod addresses."),
    Flag("node-cidr-mask-size", "int", 24, "Prefix length of a node's range."),
    Flag("service-cluster-ip-range", "string", "", "Ranges of Service addresses, which no node gets."),
    Flag("cluster-signing-cert-file", "string", "", "CA certificate that signs requests."),
    Flag("cluster-signing-key-file", "string", "", "Key of that CA."),
    Flag("cluster-signing-duration", "duration", 365 * 86400.0, "The longest time a certificate is signed for."),
    Flag("root-ca-file", "string", "", "CA that is published to every namespace."),
    Flag("service-account-private-key-file", "string", "", "Key that signs the tokens of Secrets."),
    Flag("node-monitor-grace-period", "duration", 50.0, "Silence after which a node is taken to be unhealthy."),
    Flag("resource-quota-sync-period", "duration", 300.0, "How often every quota is counted anew."),
    Flag("terminated-pod-gc-threshold", "int", 12500, "Finished pods to keep; 0 keeps all."),
    Flag(
        "legacy-service-account-token-clean-up-period",
        "duration",
        365 * 86400.0,
        "How long a token of old is unused before it is invalid, and again before it goes.",
    ),
    Flag("use-service-account-credentials", "bool", False, "Each loop acts as a service account of its own."),
    *leader.flags("kube-controller-manager"),
    *daemon_flags.FLAGS,
    Flag("v", "int", 0, "Verbosity of the log."),
)
_FILES = (
    "kubeconfig", "tls-cert-file", "tls-private-key-file", "cluster-signing-cert-file", "cluster-signing-key-file",
    "root-ca-file", "service-account-private-key-file", *delegated.FILES,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerConfig:
    """What the command line says, by flag name."""

    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read(argv: Sequence[str]) -> ManagerConfig:
    """The settings of a command line. Raises FlagError with every fault."""
    values = parse(FLAGS, argv)
    faults = [f"--{name}: no such file: {values[name]}" for name in _FILES if _missing(values[name])]
    if not values["kubeconfig"]:
        faults.append("--kubeconfig is required")
    if values["allocate-node-cidrs"] and not values["cluster-cidr"]:
        faults.append("--cluster-cidr is required with --allocate-node-cidrs")
    for name in ("cluster-cidr", "service-cluster-ip-range"):
        faults += _cidr_faults(name, values[name])
    if bool(values["cluster-signing-cert-file"]) != bool(values["cluster-signing-key-file"]):
        faults.append("--cluster-signing-cert-file and --cluster-signing-key-file go together")
    if values["legacy-service-account-token-clean-up-period"] <= 0:
        faults.append("--legacy-service-account-token-clean-up-period must be more than 0")
    faults += leader.flag_faults(values)
    faults += daemon_flags.flag_faults(values)
    if faults:
        raise FlagError(faults)
    return ManagerConfig(values=values)


def _missing(path: str) -> bool:
    return bool(path) and not Path(path).is_file()


def _cidr_faults(name: str, text: str) -> list[str]:
    try:
        for cidr in filter(None, text.split(",")):
            ipaddress.ip_network(cidr)
    except ValueError as error:
        return [f"--{name}: {error}"]
    return []
