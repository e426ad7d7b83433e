"""The scheduler's settings: upstream's flags and its configuration file, checked together.

Source: the kube-scheduler command-line reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubepy.client import daemon_flags, delegated, leader
from kubepy.lib.flags import Flag, FlagError, parse
from kubepy.scheduler import settings
from kubepy.scheduler.settings import SchedulerConfiguration, SettingsError

FLAGS: Sequence[Flag] = (
    Flag("config", "string", "", "KubeSchedulerConfiguration file."),
    Flag("kubeconfig", "string", "", "Kubeconfig with authorization and API server location."),
    *delegated.FLAGS,
    Flag("bind-address", "string", "127.0.0.1", "Address that the secure port listens on."),
    Flag("secure-port", "int", 10259, "Port for health and metrics; 0 turns them off."),
    Flag("tls-cert-file", "string", "", "Certificate of the secure port; self-signed when empty."),
    Flag("tls-private-key-file", "string", "", "Key of that certificate."),
    *leader.flags("kube-scheduler"),
    *daemon_flags.FLAGS,
    Flag("v", "int", 0, "Verbosity of the log."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerConfig:
    """The command line by flag name, and the file that it names."""

    values: dict[str, Any]
    file: SchedulerConfiguration

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read(argv: Sequence[str]) -> SchedulerConfig:
    """The settings of a command line. Raises FlagError with every fault."""
    values = parse(FLAGS, argv)
    faults = leader.flag_faults(values) + daemon_flags.flag_faults(values)
    file = SchedulerConfiguration()
    if values["config"]:
        try:
            file = settings.load(values["config"])
        except SettingsError as error:
            faults += [f"--config: {fault}" for fault in error.faults]
    values["kubeconfig"] = file.kubeconfig or values["kubeconfig"]
    if file.leader_elect is not None:
        values["leader-elect"] = file.leader_elect
    if not values["kubeconfig"]:
        faults.append("--kubeconfig is required, or clientConnection.kubeconfig in the file")
    elif not Path(values["kubeconfig"]).is_file():
        faults.append(f"--kubeconfig: no such file: {values['kubeconfig']}")
    for name in delegated.FILES:
        if values[name] and not Path(values[name]).is_file():
            faults.append(f"--{name}: no such file: {values[name]}")
    if faults:
        raise FlagError(faults)
    return SchedulerConfig(values=values, file=file)
