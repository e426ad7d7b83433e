"""Upstream's default rules with their weights, and the profiles that a configuration makes of them.

A name with a colon, `package.module:Class`, is a rule of the user's own.
Source: pkg/scheduler/apis/config/v1/default_plugins.go.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubepy.api.selectors import Selector
from kubepy.scheduler.framework import Profile
from kubepy.scheduler.plugins.nodes import ImageLocality, NodeAffinity, NodeName, NodeUnschedulable, TaintToleration
from kubepy.scheduler.plugins.pod_affinity import InterPodAffinity
from kubepy.scheduler.plugins.resources import NodePorts, NodeResourcesBalancedAllocation, NodeResourcesFit
from kubepy.scheduler.plugins.topology_spread import PodTopologySpread
from kubepy.scheduler.plugins.volumes import Find, VolumeBinding
from kubepy.scheduler.podinfo import PodInfo
from kubepy.scheduler.settings import ProfileSettings, SchedulerConfiguration, SettingsError


@dataclass(frozen=True, slots=True)
class Lookups:
    """What rules look up beyond the snapshot."""

    find_claim: Find
    find_volume: Find
    kind_of: Callable[[PodInfo], Selector | None]


def default_plugins(lookups: Lookups) -> Mapping[str, tuple[Any, float]]:
    """Every built-in rule with its weight, in the order in which filters are asked: the cheap ones first."""
    return {
        plugin.name: (plugin, weight)
        for plugin, weight in (
            (NodeUnschedulable(), 0.0),
            (NodeName(), 0.0),
            (TaintToleration(), 3.0),
            (NodeAffinity(), 2.0),
            (NodePorts(), 0.0),
            (NodeResourcesFit(), 1.0),
            (VolumeBinding(lookups.find_claim, lookups.find_volume), 0.0),
            (PodTopologySpread(lookups.kind_of), 2.0),
            (InterPodAffinity(), 2.0),
            (NodeResourcesBalancedAllocation(), 1.0),
            (ImageLocality(), 1.0),
        )
    }


def build_profiles(settings: SchedulerConfiguration, lookups: Lookups) -> Mapping[str, Profile]:
    """The profiles by scheduler name. Raises SettingsError for a rule that there is not."""
    return {profile.scheduler_name: _build(profile, lookups) for profile in settings.profiles}


def _build(settings: ProfileSettings, lookups: Lookups) -> Profile:
    known = dict(default_plugins(lookups))
    for point in settings.enabled.values():
        for name in point:
            if name not in known:
                known[name] = (_load(name), 1.0)
    filters = [
        plugin for name, (plugin, _) in known.items() if hasattr(plugin, "filter") and _on(settings, name, "filter")
    ]
    scores = [
        (plugin, _weight(settings, name, weight))
        for name, (plugin, weight) in known.items()
        if hasattr(plugin, "score") and _on(settings, name, "score")
    ]
    return Profile(settings.scheduler_name, filters, scores)


def _on(settings: ProfileSettings, name: str, point: str) -> bool:
    for where in (point, "multiPoint"):
        if name in settings.enabled.get(where, {}):
            return True
        if settings.disabled.get(where, frozenset()) & {name, "*"}:
            return False
    return True


def _weight(settings: ProfileSettings, name: str, default: float) -> float:
    for where in ("score", "multiPoint"):
        weight = settings.enabled.get(where, {}).get(name)
        if weight:
            return float(weight)
    return default or 1.0


def _load(name: str) -> Any:
    module, found, attribute = name.partition(":")
    if not found:
        raise SettingsError([f"profiles: there is no rule {name!r}; one of your own is named 'package.module:Class'"])
    try:
        plugin = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise SettingsError([f"profiles: rule {name!r}: {error}"]) from error
    if not getattr(plugin, "name", ""):
        plugin.name = name
    return plugin
