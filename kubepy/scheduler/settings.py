"""KubeSchedulerConfiguration: profiles, the rules that each turns on or off, and their weights.

Source: kubescheduler.config.k8s.io/v1 reference. What is not supported is refused, with its path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

API_VERSION = "kubescheduler.config.k8s.io/v1"
_TOP = {
    "apiVersion", "kind", "clientConnection", "leaderElection", "profiles", "parallelism", "podInitialBackoffSeconds",
    "podMaxBackoffSeconds", "percentageOfNodesToScore", "enableProfiling", "enableContentionProfiling",
}  # fmt: skip
_POINTS = ("multiPoint", "filter", "score")
_IGNORED_POINTS = {"queueSort", "preEnqueue", "preFilter", "postFilter", "preScore", "reserve", "permit", "preBind",
                   "bind", "postBind"}  # fmt: skip


class SettingsError(ValueError):
    """The file cannot be used; `faults` holds every reason with its path."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """One profile: rules turned off (`*`: all), rules turned on with a weight (None: the default)."""

    scheduler_name: str = "default-scheduler"
    disabled: Mapping[str, frozenset[str]] = field(default_factory=dict)
    enabled: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerConfiguration:
    """The whole file."""

    profiles: Sequence[ProfileSettings] = (ProfileSettings(),)
    kubeconfig: str = ""
    leader_elect: bool | None = None
    """None: as the flag says."""


def load(path: str | Path) -> SchedulerConfiguration:
    """The settings of a file. Raises SettingsError."""
    try:
        document = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError([f"{path}: {error}"]) from error
    return read(document)


def read(document: Any) -> SchedulerConfiguration:
    """The settings of a parsed file. Raises SettingsError."""
    if not isinstance(document, dict):
        raise SettingsError(["not a KubeSchedulerConfiguration"])
    faults = []
    if document.get("apiVersion") != API_VERSION:
        faults.append(f"apiVersion: must be {API_VERSION}")
    if document.get("kind") != "KubeSchedulerConfiguration":
        faults.append("kind: must be KubeSchedulerConfiguration")
    faults += [f"{name}: not supported" for name in document if name not in _TOP]
    profiles = [_profile(entry, f"profiles[{i}]", faults) for i, entry in enumerate(document.get("profiles") or [{}])]
    names = [profile.scheduler_name for profile in profiles]
    faults += [f"profiles: schedulerName {name!r} is there twice" for name in {n for n in names if names.count(n) > 1}]
    if faults:
        raise SettingsError(faults)
    return SchedulerConfiguration(
        profiles=profiles,
        kubeconfig=(document.get("clientConnection") or {}).get("kubeconfig", ""),
        leader_elect=(document.get("leaderElection") or {}).get("leaderElect"),
    )


def _profile(entry: Mapping[str, Any], path: str, faults: list[str]) -> ProfileSettings:
    faults += [f"{path}.{name}: not supported" for name in entry if name not in ("schedulerName", "plugins")]
    plugins = entry.get("plugins") or {}
    for point in plugins:
        if point not in _POINTS and point not in _IGNORED_POINTS:
            faults.append(f"{path}.plugins.{point}: no such extension point")
        elif point in _IGNORED_POINTS:
            faults.append(f"{path}.plugins.{point}: not supported")
    return ProfileSettings(
        scheduler_name=entry.get("schedulerName", "default-scheduler"),
        disabled={p: frozenset(e["name"] for e in (plugins.get(p) or {}).get("disabled") or ()) for p in _POINTS},
        enabled={p: {e["name"]: e.get("weight") for e in (plugins.get(p) or {}).get("enabled") or ()} for p in _POINTS},
    )
