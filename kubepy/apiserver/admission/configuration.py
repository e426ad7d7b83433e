"""The file of --admission-control-config-file: which plug-in is told what, in the file itself or in one that it names.

Every configuration is read and checked here, so that a wrong one is told of before the server starts.
Source: apiserver pkg/admission/config.go.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kubepy.apiserver.admission.event_rate_limit import Limit, parse_limits
from kubepy.apiserver.admission.image_policy import ImagePolicy, parse_image_policy
from kubepy.apiserver.admission.pod_node_selector import Selectors, parse_selectors
from kubepy.apiserver.admission.pod_security.policy import Settings, parse_settings
from kubepy.apiserver.admission.pod_toleration_restriction import Defaults, parse_defaults
from kubepy.apiserver.admission.resource_quota import Limited, parse_limited
from kubepy.apiserver.webhooks.accounts import Accounts, parse_accounts

_GROUP = "apiserver.config.k8s.io"
_OUTER = {("AdmissionConfiguration", f"{_GROUP}/v1"), ("AdmissionConfiguration", "apiserver.k8s.io/v1alpha1")}
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the plug-ins are told, each in its own terms."""

    pod_security: Settings = field(default_factory=Settings)
    limited: Sequence[Limited] = ()
    event_limits: Sequence[Limit] = ()
    node_selectors: Selectors = field(default_factory=dict)
    tolerations: Defaults = field(default_factory=Defaults)
    image_policy: ImagePolicy | None = None
    mutating_accounts: Accounts = field(default_factory=Accounts)
    """As whom mutating webhooks are asked; `validating_accounts` the validating ones."""
    validating_accounts: Accounts = field(default_factory=Accounts)


@dataclass(frozen=True, slots=True)
class _Reader:
    field: str
    kinds: frozenset[tuple[str, str]]
    parse: Callable[[Document], Any]


def _kinds(kind: str, group: str, *versions: str) -> frozenset[tuple[str, str]]:
    return frozenset((kind, f"{group}/{version}") for version in versions)


_ACCOUNTS = _kinds("WebhookAdmissionConfiguration", _GROUP, "v1") | _kinds("WebhookAdmission", _GROUP, "v1alpha1")
_READERS: Mapping[str, _Reader] = {
    "MutatingAdmissionWebhook": _Reader("mutating_accounts", _ACCOUNTS, parse_accounts),
    "ValidatingAdmissionWebhook": _Reader("validating_accounts", _ACCOUNTS, parse_accounts),
    "PodSecurity": _Reader(
        "pod_security",
        _kinds("PodSecurityConfiguration", "pod-security.admission.config.k8s.io", "v1", "v1beta1", "v1alpha1"),
        parse_settings,
    ),
    "ResourceQuota": _Reader(
        "limited",
        _kinds("ResourceQuotaConfiguration", _GROUP, "v1")
        | _kinds("Configuration", "resourcequota.admission.k8s.io", "v1beta1", "v1alpha1"),
        parse_limited,
    ),
    "EventRateLimit": _Reader(
        "event_limits", _kinds("Configuration", "eventratelimit.admission.k8s.io", "v1alpha1"), parse_limits
    ),
    "ImagePolicyWebhook": _Reader("image_policy", frozenset(), parse_image_policy),
    "PodNodeSelector": _Reader("node_selectors", frozenset(), parse_selectors),
    "PodTolerationRestriction": _Reader(
        "tolerations",
        _kinds("Configuration", "podtolerationrestriction.admission.k8s.io", "v1alpha1"),
        parse_defaults,
    ),
}


def read_configuration(path: str, known: Collection[str]) -> Configuration:
    """What the file says of plug-ins, all of which must be `known`. Raises ValueError with every fault, OSError."""
    outer = _load(Path(path).read_text())
    if (outer.get("kind"), outer.get("apiVersion")) not in _OUTER:
        raise ValueError(f"no AdmissionConfiguration of {_GROUP}/v1")
    found: dict[str, Any] = {}
    faults: list[str] = []
    for entry in outer.get("plugins") or ():
        name = str(entry.get("name") or "")
        try:
            _read_plugin(name, entry, Path(path).parent, known, found)
        except (OSError, ValueError) as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise ValueError("; ".join(faults))
    return Configuration(**found)


def _read_plugin(name: str, entry: Document, folder: Path, known: Collection[str], found: dict[str, Any]) -> None:
    if name not in known:
        raise ValueError("unknown plug-in")
    document = entry.get("configuration")
    if document is None:
        if not entry.get("path"):
            return
        document = _load((folder / entry["path"]).read_text())
    reader = _READERS.get(name)
    if reader is None:
        raise ValueError("a configuration of this plug-in is not supported")
    if reader.kinds and (document.get("kind"), document.get("apiVersion")) not in reader.kinds:
        wanted = " or ".join(sorted(f"{kind} of {version}" for kind, version in reader.kinds))
        raise ValueError(f"its configuration must be a {wanted}")
    found[reader.field] = reader.parse(document)


def _load(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document
