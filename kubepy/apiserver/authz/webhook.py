"""The Webhook authorizer: asks another server by SubjectAccessReviews, and remembers what it said.

Invariant: a webhook that cannot be asked grants nothing: it has no opinion, or refuses where its failurePolicy says so.
Source: apiserver plugin/pkg/authorizer/webhook/webhook.go.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import orjson

from kubepy.api.meta import Object
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import NO_OPINION, Decision
from kubepy.apiserver.authz.metrics import CANCELED, ERROR, SUCCESS, TIMEOUT, AuthorizationMetrics
from kubepy.apiserver.authz.rules import Resolved
from kubepy.apiserver.authz.selectors import field_requirements, label_requirements
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.webhooks import patience
from kubepy.apiserver.webhooks.client import CallError, Webhooks
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib import log
from kubepy.lib.expiring import Expiring

VERSIONS = ("v1", "v1beta1")
_GROUP = "authorization.k8s.io"
_ATTRIBUTES = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
_REMEMBERED = 8192
_KEY_MOST = 10_000
"""Characters of a request's own that are remembered: a caller must not fill the memory."""
_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One webhook. `conditions` are expressions over `request`, all of which must hold for it to be asked."""

    name: str
    target: Target
    version: str = "v1"
    authorized_ttl_s: float = 300.0
    unauthorized_ttl_s: float = 30.0
    timeout_s: float = 30.0
    denies_on_failure: bool = False
    conditions: tuple[tuple[str, Callable[[Any], Any]], ...] = ()


class WebhookAuthorizer:
    """Asks one webhook."""

    def __init__(
        self, settings: WebhookSettings, webhooks: Webhooks, metrics: AuthorizationMetrics | None = None
    ) -> None:
        self.settings = settings
        self._webhooks = webhooks
        self._metrics = metrics or AuthorizationMetrics()
        self._known: Expiring[bytes, Object] = Expiring(_REMEMBERED)

    async def ask(self, user: UserInfo, info: RequestInfo) -> Decision:
        """What the webhook says of it, now or a while ago."""
        spec = spec_of(user, info)
        try:
            if self.settings.conditions and not self._is_meant(spec):
                return NO_OPINION
            key = orjson.dumps(spec)
            status = self._known.get(key)
            if status is None:
                status = await self._asked(spec)
                if len(key) < _KEY_MOST:
                    self._remember(key, status)
        except (CallError, ValueError, TimeoutError) as fault:
            why = str(fault) or "context deadline exceeded"
            _log.error("Failed to make webhook authorizer request", webhook=self.settings.name, why=why)
            return Decision(False, "", denied=self.settings.denies_on_failure)
        return decision_of(status)

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """Nothing: it can only be asked about one thing at a time."""
        return Resolved((), ("webhook authorizer does not support user rule resolution",), incomplete=True)

    def _is_meant(self, spec: Object) -> bool:
        started, name, metrics = perf_counter(), self.settings.name, self._metrics
        try:
            meant = self._matches(spec)
        except ValueError:
            metrics.condition_errors[name] += 1
            raise
        finally:
            metrics.condition(name, perf_counter() - started)
        if not meant:
            metrics.condition_exclusions[name] += 1
        return meant

    async def _asked(self, spec: Object) -> Object:
        started, result = perf_counter(), ERROR
        try:
            status = await self._status(spec)
            result = SUCCESS
        except TimeoutError:
            result = TIMEOUT
            raise
        except asyncio.CancelledError:
            result = CANCELED
            raise
        finally:
            seconds = perf_counter() - started
            opens = result in (ERROR, TIMEOUT) and not self.settings.denies_on_failure
            self._metrics.asked(self.settings.name, result, seconds, fails_open=opens)
        return status

    def _matches(self, spec: Object) -> bool:
        """Whether all conditions hold; one that does not outweighs one that cannot be told. Raises ValueError."""
        failed: list[str] = []
        whole = with_every_field(spec)
        for text, holds in self.settings.conditions:
            try:
                if holds(whole) is not True:
                    return False
            except ValueError as fault:
                failed.append(f"cel evaluation error: expression '{text}' resulted in error: {fault}")
        if failed:
            raise ValueError("; ".join(failed))
        return True

    async def _status(self, spec: Object) -> Object:
        api_version = f"{_GROUP}/{self.settings.version}"
        sent = spec
        if self.settings.version == "v1beta1" and "groups" in spec:
            sent = {**spec, "group": spec["groups"]}  # the older version's name of the field
            del sent["groups"]
        review = {"kind": "SubjectAccessReview", "apiVersion": api_version, "metadata": {}, "spec": sent}
        async with asyncio.timeout(self.settings.timeout_s):
            answer = await patience.call(self._webhooks, self.settings.target, review)
        if (answer.get("kind"), answer.get("apiVersion")) != ("SubjectAccessReview", api_version):
            raise CallError(f"answered {answer.get('apiVersion')}, Kind={answer.get('kind')}")
        status = answer.get("status")
        return status if isinstance(status, dict) else {}

    def _remember(self, key: bytes, status: Object) -> None:
        settings = self.settings
        ttl_s = settings.authorized_ttl_s if status.get("allowed") else settings.unauthorized_ttl_s
        self._known.put(key, status, ttl_s)


def spec_of(user: UserInfo, info: RequestInfo) -> Object:
    """The spec of the SubjectAccessReview that asks for it; empty fields are left out."""
    spec: Object = {"user": user.name, "uid": user.uid, "groups": list(user.groups)}
    spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    spec = {key: value for key, value in spec.items() if value}
    if not info.is_resource:
        return {**spec, "nonResourceAttributes": _filled(path=info.path, verb=info.verb)}
    attributes: Object = _filled(
        namespace=info.namespace,
        verb=info.verb,
        group=info.group,
        version=info.version,
        resource=info.resource,
        subresource=info.subresource,
        name=info.name,
    )
    for field, requirements in (
        ("fieldSelector", field_requirements(info.field_selector)),
        ("labelSelector", label_requirements(info.label_selector)),
    ):
        if requirements:
            attributes[field] = {"requirements": requirements}
    return {**spec, "resourceAttributes": attributes}


def with_every_field(spec: Object) -> Object:
    """The spec as conditions see it: what is empty is there."""
    whole = {"user": "", "uid": "", "groups": [], "extra": {}, **spec}
    if (attributes := spec.get("resourceAttributes")) is not None:
        whole["resourceAttributes"] = {**dict.fromkeys(_ATTRIBUTES, ""), **attributes}
    if (attributes := spec.get("nonResourceAttributes")) is not None:
        whole["nonResourceAttributes"] = {"path": "", "verb": "", **attributes}
    return whole


def _filled(**fields: str) -> Object:
    return {key: value for key, value in fields.items() if value}


def decision_of(status: Object) -> Decision:
    """What the status of an access review says; both at once is a refusal."""
    reason = str(status.get("reason") or "")
    if status.get("denied"):
        return Decision(False, reason, denied=True)
    return Decision(status.get("allowed") is True, reason)
