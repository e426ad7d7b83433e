"""The webhooks that are configured, compiled, and which of them are about a kind of write.

Worked out anew only when a configuration changes, or what is served; a write that no webhook is about costs a look-up.
Source: apiserver pkg/admission/configuration, pkg/admission/plugin/webhook/accessors.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.intercepting import ByWrite
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.matching import Criteria, Place, criteria_of
from kubepy.apiserver.admission.policies.conditions import conditions_of
from kubepy.apiserver.admission.policies.expressions import Expression
from kubepy.apiserver.admission.reviewing import VERSIONS
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.accounts import Accounts
from kubepy.apiserver.webhooks.target import BadTarget, Target, from_client_config

_DEFAULT_TIMEOUT_S = 10.0
NOBODY = Accounts()


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """One webhook. `order` is its place among all of its sort, `uid` what tells it from the others."""

    name: str
    configuration: str
    uid: str
    order: int
    criteria: Criteria
    conditions: tuple[Expression, ...]
    target: Target | None
    """Where it is; None where `bad_target` says why it cannot be called."""
    bad_target: str
    version: str
    """The version of AdmissionReview that it is asked with."""
    timeout_s: float
    ignores_failure: bool
    has_side_effects: bool
    reinvocable: bool


def hooks_of(configurations: Iterable[Object], accounts: Accounts = NOBODY) -> list[Hook]:
    """Every webhook in the order in which they are called: by the configurations' names, then as listed."""
    found: list[Hook] = []
    for configuration in sorted(configurations, key=lambda obj: str(obj["metadata"]["name"])):
        name = configuration["metadata"]["name"]
        seen: dict[str, int] = {}
        for webhook in configuration.get("webhooks") or ():
            nth = seen[webhook["name"]] = seen.get(webhook["name"], -1) + 1
            hook = _hook(webhook, name, f"{name}/{webhook['name']}/{nth}", len(found))
            target = accounts.known_to(hook.target) if hook.target is not None else None
            found.append(replace(hook, target=target))
    return found


def _hook(webhook: dict[str, Any], configuration: str, uid: str, order: int) -> Hook:
    target, why = None, ""
    try:
        target = from_client_config(webhook.get("clientConfig") or {})
    except BadTarget as fault:
        why = f"could not get REST client: {fault}"
    spoken = webhook.get("admissionReviewVersions") or ()
    return Hook(
        name=webhook["name"],
        configuration=configuration,
        uid=uid,
        order=order,
        criteria=criteria_of(webhook),
        conditions=conditions_of(webhook.get("matchConditions") or ()),
        target=target,
        bad_target=why,
        version=next((version for version in spoken if version in VERSIONS), VERSIONS[0]),
        timeout_s=float(webhook.get("timeoutSeconds") or _DEFAULT_TIMEOUT_S),
        ignores_failure=webhook.get("failurePolicy") == "Ignore",
        has_side_effects=webhook.get("sideEffects") not in ("None", "NoneOnDryRun"),
        reinvocable=webhook.get("reinvocationPolicy") == "IfNeeded",
    )


Wanted = tuple[Hook, Place]


class HookIndex:
    """The webhooks of one kind of configuration, by the writes that they are about."""

    def __init__(self, configurations: Resource, lookup: Lookup, kinds: Kinds, accounts: Accounts = NOBODY) -> None:
        self._accounts = accounts
        self._configurations = configurations
        self._lookup = lookup
        self._kinds = kinds
        self._version = -1
        self._hooks: Sequence[Hook] = ()
        self._by_write = ByWrite(kinds, self._wanting)

    def about(self, attributes: Attributes) -> tuple[Wanted, ...]:
        """The webhooks that want such writes, in order; their selectors and conditions are still to be asked."""
        version = self._lookup.version(self._configurations)
        if version != self._version:
            self._hooks = hooks_of(self._lookup.list(self._configurations), self._accounts)
            self._by_write.clear()
            self._version = version
        if not self._hooks:
            return ()
        return self._by_write.of(attributes)

    def _wanting(self, attributes: Attributes) -> Iterable[Wanted]:
        for hook in self._hooks:
            place = hook.criteria.place(attributes.operation, attributes.resource, attributes.subresource, self._kinds)
            if place is not None:
                yield hook, place
