"""Which authorizers decide, in which order: as --authorization-config says, or --authorization-mode and its flags.

Reading checks kubeconfig files too. Expressions are compiled by who reads the file.
Source: apiserver pkg/apis/apiserver/v1/types.go, pkg/apis/apiserver/validation/validation.go.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kubepy.api import names
from kubepy.api.errors import duplicate, invalid, not_supported, required, too_many
from kubepy.apiserver.authz.webhook import VERSIONS, WebhookSettings
from kubepy.apiserver.config.strict_fields import Fields, parse_document
from kubepy.apiserver.webhooks.target import Target, from_kubeconfig
from kubepy.lib import kubeconfig

WEBHOOK = "Webhook"
ABAC = "ABAC"
MODES = (ABAC, "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", WEBHOOK)
_VERSIONS = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_CONDITIONS_MOST = 64
_TIMEOUT_MOST_S = 30.0
_UNSET = Target(url="")


class Compile(Protocol):
    """Compiles expressions over `request`."""

    def __call__(self, text: str, variable: str, *, is_rule: bool) -> Callable[[Any], Any]:
        """The compiled expression. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """One authorizer: its mode, its webhook if it is one, and its name, which is its mode where there is no file."""

    mode: str
    webhook: WebhookSettings | None = None
    name: str = ""


def parse_settings(text: str, compile_: Compile, needed: Sequence[str] = ()) -> list[AuthorizerSettings]:
    """The authorizers of an AuthorizationConfiguration file, in order. Raises ConfigError with every fault.

    `needed` are the modes besides webhooks that the server began with: those stay.
    """

    def read(fields: Fields) -> list[AuthorizerSettings]:
        found = _authorizers(fields, compile_)
        lacking = [mode for mode in needed if mode not in [one.mode for one in found]]
        if lacking:
            why = f"the types {', '.join(lacking)} cannot be removed while the server runs"
            fields.faults.append(invalid("authorizers", "", why))
        return found

    return parse_document(text, kind="AuthorizationConfiguration", versions=_VERSIONS, read=read)


def _authorizers(root: Fields, compile_: Compile) -> list[AuthorizerSettings]:
    found: list[AuthorizerSettings] = []
    seen: set[str] = set()
    for fields in root.each("authorizers"):
        mode, name = fields.text("type"), fields.text("name")
        has_webhook, below = fields.has("webhook"), fields.below("webhook")
        if not mode:
            fields.faults.append(required(fields.at("type")))
        elif mode not in MODES:
            fields.faults.append(not_supported(fields.at("type"), mode, MODES))
        elif mode != WEBHOOK and mode in [one.mode for one in found]:
            fields.faults.append(duplicate(fields.at("type"), mode))
        else:
            _check_name(fields, name, seen)
            webhook = None
            if mode == WEBHOOK and has_webhook:
                webhook = _webhook(below, name, compile_)
            elif mode == WEBHOOK:
                fields.faults.append(required(fields.at("webhook"), "required when type=Webhook"))
            elif has_webhook:
                why = "may only be specified when type=Webhook"
                fields.faults.append(invalid(fields.at("webhook"), "non-null", why))
            found.append(AuthorizerSettings(mode, webhook, name))
        fields.end()
    if not found and not root.faults:
        root.faults.append(required("authorizers", "at least one authorization mode must be defined"))
    return found


def _check_name(fields: Fields, name: str, seen: set[str]) -> None:
    at = fields.at("name")
    if not name:
        fields.faults.append(required(at))
    elif name in seen:
        fields.faults.append(duplicate(at, name))
    elif whys := names.is_dns1123_subdomain(name):
        fields.faults.append(invalid(at, name, f"authorizer name is invalid: {', '.join(whys)}"))
    seen.add(name)


def _webhook(fields: Fields, name: str, compile_: Compile) -> WebhookSettings:
    timeout_s = _seconds(fields, "timeout")
    if timeout_s is not None and not 0 < timeout_s <= _TIMEOUT_MOST_S:
        fields.faults.append(invalid(fields.at("timeout"), fields.text("timeout"), "must be > 0s and <= 30s"))
    ttls = {}
    for ttl in ("authorizedTTL", "unauthorizedTTL"):
        ttls[ttl] = _seconds(fields, ttl) or 0.0
        if ttls[ttl] < 0:
            fields.faults.append(invalid(fields.at(ttl), fields.text(ttl), "must be > 0s"))
    version = _choice(fields, "subjectAccessReviewVersion", VERSIONS)
    failure = _choice(fields, "failurePolicy", ("NoOpinion", "Deny"))
    has_conditions = fields.has("matchConditions")
    if has_conditions and not fields.text("matchConditionSubjectAccessReviewVersion"):
        why = "required if match conditions are specified"
        fields.faults.append(required(fields.at("matchConditionSubjectAccessReviewVersion"), why))
    elif fields.text("matchConditionSubjectAccessReviewVersion"):
        _choice(fields, "matchConditionSubjectAccessReviewVersion", ("v1",))
    made = WebhookSettings(
        name=name,
        target=_connection(fields.below("connectionInfo")),
        version=version,
        authorized_ttl_s=ttls["authorizedTTL"],
        unauthorized_ttl_s=ttls["unauthorizedTTL"],
        timeout_s=timeout_s or _TIMEOUT_MOST_S,
        denies_on_failure=failure == "Deny",
        conditions=_conditions(fields, compile_),
    )
    fields.end()
    return made


def _seconds(fields: Fields, name: str) -> float | None:
    found = fields.seconds(name)
    if not found and not fields.text(name):
        fields.faults.append(required(fields.at(name)))
    return found


def _choice(fields: Fields, name: str, known: Sequence[str]) -> str:
    found = fields.text(name)
    if not found:
        fields.faults.append(required(fields.at(name)))
    elif found not in known:
        fields.faults.append(not_supported(fields.at(name), found, known))
    return found


def _conditions(fields: Fields, compile_: Compile) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    found: dict[str, Callable[[Any], Any]] = {}
    count = 0
    for condition in fields.each("matchConditions"):
        count += 1
        at, text = condition.at("expression"), condition.text("expression")
        condition.end()
        if not text.strip():
            fields.faults.append(required(at))
        elif text in found:
            fields.faults.append(duplicate(at, text))
        else:
            try:
                found[text] = compile_(text, "request", is_rule=True)
            except ValueError as fault:
                fields.faults.append(invalid(at, text, str(fault)))
    if count > _CONDITIONS_MOST:
        fields.faults.append(too_many(fields.at("matchConditions"), count, _CONDITIONS_MOST))
    return tuple(found.items())


def _connection(fields: Fields) -> Target:
    kind, path = fields.text("type"), fields.text("kubeConfigFile")
    at = fields.at("kubeConfigFile")
    fields.end()
    if kind == "InClusterConfig":
        fields.faults.append(invalid(fields.at("type"), kind, "is not supported: name a kubeconfig file"))
    elif kind != "KubeConfigFile":
        known = ("InClusterConfig", "KubeConfigFile")
        fields.faults.append(not_supported(fields.at("type"), kind, known) if kind else required(fields.at("type")))
    elif not path:
        fields.faults.append(required(at))
    elif not Path(path).is_absolute():
        fields.faults.append(invalid(at, path, "must be an absolute path"))
    else:
        try:
            return webhook_target(path)
        except ValueError as fault:
            fields.faults.append(invalid(at, path, f"error loading file: {fault}"))
    return _UNSET


def webhook_target(path: str) -> Target:
    """The webhook that a kubeconfig file leads to. Raises KubeconfigError, a ValueError."""
    return from_kubeconfig(kubeconfig.load(path))
