"""What a namespace's labels, and the cluster's configuration, say about the pods in it. Pure.

Source: k8s.io/pod-security-admission/{api/helpers.go,admission/api}.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, invalid, required
from kubepy.apiserver.admission.pod_security.restricted import NEWEST

LEVELS = ("privileged", "baseline", "restricted")
MODES = ("enforce", "audit", "warn")
PREFIX = "pod-security.kubernetes.io/"
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")
_BAD_LEVEL = f"must be one of {', '.join(LEVELS)}"
_BAD_VERSION = 'must be "latest" or "v1.x"'


class Standard(NamedTuple):
    """A level at a version."""

    level: str = "privileged"
    version: str = "latest"

    @property
    def minor(self) -> int:
        """The minor number of the version; that of the newest for `latest`."""
        return NEWEST if self.version == "latest" else int(self.version.partition(".")[2])

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


Policy = Mapping[str, Standard]
"""A standard for each of MODES."""
_LAX: Policy = {mode: Standard() for mode in MODES}


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration file: what counts where no label says anything, and who is exempt."""

    defaults: Policy = field(default_factory=lambda: _LAX)
    usernames: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()


def policy_of(labels: Mapping[str, str], defaults: Policy = _LAX) -> tuple[Policy, list[FieldError]]:
    """The policy of a namespace, always a valid one, and what is wrong with its labels.

    A level that means nothing enforces the strictest, but audits and warns of nothing.
    """
    found = dict(defaults)
    faults: list[FieldError] = []
    for mode in MODES:
        level, version = found[mode]
        if (text := labels.get(f"{PREFIX}{mode}")) is not None:
            level = text
            if text not in LEVELS:
                faults.append(invalid(f"metadata.labels[{PREFIX}{mode}]", text, _BAD_LEVEL))
                level = "restricted" if mode == "enforce" else "privileged"
        if (text := labels.get(f"{PREFIX}{mode}-version")) is not None:
            version = text
            if not is_version(text):
                faults.append(invalid(f"metadata.labels[{PREFIX}{mode}-version]", text, _BAD_VERSION))
                version = "latest"
        found[mode] = Standard(level, version)
    return found, faults


def compact(policy: Policy) -> str:
    """The modes that ask for something: `enforce=baseline:latest, warn=restricted:v1.30`."""
    return ", ".join(f"{mode}={policy[mode]}" for mode in MODES if policy[mode].level != "privileged")


def is_version(text: str) -> bool:
    """Whether the text names a version of the standards."""
    return text == "latest" or _VERSION.fullmatch(text) is not None


def parse_settings(config: Mapping[str, Any]) -> Settings:
    """A PodSecurityConfiguration. Raises ValueError with every fault."""
    defaults, faults = _parse_defaults(config.get("defaults") or {})
    exemptions = config.get("exemptions") or {}
    checks = {"namespaces": names.is_dns1123_label, "runtimeClasses": names.is_dns1123_subdomain}
    for part in ("namespaces", "runtimeClasses", "usernames"):
        listed = exemptions.get(part) or []
        for index, name in enumerate(listed):
            path = f"exemptions.{part}[{index}]"
            check = checks.get(part)
            if check is not None and (why := check(name)):
                faults.append(invalid(path, name, ", ".join(why)))
            elif not name:
                faults.append(required(path))
            elif name in listed[:index]:
                faults.append(duplicate(path, name))
    if faults:
        raise ValueError("; ".join(map(str, faults)))
    return Settings(
        defaults,
        frozenset(exemptions.get("usernames") or ()),
        frozenset(exemptions.get("runtimeClasses") or ()),
        frozenset(exemptions.get("namespaces") or ()),
    )


def _parse_defaults(found: Mapping[str, Any]) -> tuple[Policy, list[FieldError]]:
    faults: list[FieldError] = []
    policy = {}
    for mode in MODES:
        level, version = found.get(mode) or "privileged", found.get(f"{mode}-version") or "latest"
        if level not in LEVELS:
            faults.append(invalid(f"defaults.{mode}", level, _BAD_LEVEL))
        if not is_version(version):
            faults.append(invalid(f"defaults.{mode}-version", version, _BAD_VERSION))
        policy[mode] = Standard(level, version)
    return policy, faults
