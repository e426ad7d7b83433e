"""The ABAC authorizer: policies from a file, one JSON object a line, any of which may allow.

Source: pkg/auth/authorizer/abac/abac.go; pkg/apis/abac.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, UserInfo
from kubepy.apiserver.authz.decision import ALLOWED, Decision
from kubepy.apiserver.authz.rules import Resolved, Rule, url_matches
from kubepy.apiserver.http.request_info import RequestInfo

_API_VERSION = "abac.authorization.kubernetes.io/v1beta1"
_READS = frozenset(("get", "list", "watch"))
_ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One line; an empty field matches only what is empty, `*` everything."""

    user: str = ""
    group: str = ""
    api_group: str = ""
    resource: str = ""
    namespace: str = ""
    non_resource_path: str = ""
    readonly: bool = False

    def allows(self, user: UserInfo, info: RequestInfo) -> bool:
        """Whether it allows that to the user."""
        if not self._means(user) or (self.readonly and info.verb not in _READS):
            return False
        if not info.is_resource:
            return bool(self.non_resource_path) and url_matches(self.non_resource_path, info.path)
        wanted = ((self.namespace, info.namespace), (self.resource, info.resource), (self.api_group, info.group))
        return all(pattern in (_ANY, value) for pattern, value in wanted)

    def rules_for(self, user: UserInfo, namespace: str) -> Iterator[Rule]:
        """What it allows to the user in the namespace."""
        if not self._means(user) or self.namespace not in (_ANY, namespace):
            return
        verbs = ["get", "list", "watch"] if self.readonly else [_ANY]
        if self.resource:
            yield {"verbs": verbs, "apiGroups": [self.api_group], "resources": [self.resource]}
        if self.non_resource_path:
            yield {"verbs": verbs, "nonResourceURLs": [self.non_resource_path]}

    def _means(self, user: UserInfo) -> bool:
        if not (self.user or self.group):
            return False
        by_name = not self.user or self.user in (_ANY, user.name)
        return by_name and (not self.group or self.group == _ANY or self.group in user.groups)


class Abac:
    """Allows what a policy allows; has no opinion on the rest."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._policies = tuple(policies)

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Whether a policy allows it."""
        if any(policy.allows(user, info) for policy in self._policies):
            return ALLOWED
        return Decision(False, "No policy matched.")

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """What the policies for the user are about."""
        return Resolved([rule for policy in self._policies for rule in policy.rules_for(user, namespace)])


def parse_policies(text: str) -> list[Policy]:
    """The policies of a file. Raises ValueError with the line that is none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(_policy(orjson.loads(line)))
            except ValueError as fault:
                raise ValueError(f"error reading policy file, line {number}: {line}: {fault}") from fault
    return found


def _policy(document: Any) -> Policy:
    if not isinstance(document, dict):
        raise ValueError("not an object")
    if "apiVersion" not in document and "kind" not in document:
        return _of_old(document)
    if (document.get("apiVersion"), document.get("kind")) != (_API_VERSION, "Policy"):
        raise ValueError(f"expected {_API_VERSION}, Kind=Policy")
    spec = document.get("spec") or {}
    return Policy(
        user=_text(spec, "user"),
        group=_text(spec, "group"),
        api_group=_text(spec, "apiGroup"),
        resource=_text(spec, "resource"),
        namespace=_text(spec, "namespace"),
        non_resource_path=_text(spec, "nonResourcePath"),
        readonly=spec.get("readonly") is True,
    )


def _of_old(spec: dict[str, Any]) -> Policy:
    """A line without a version: what it leaves out is not asked for."""
    user, group = _text(spec, "user"), _text(spec, "group")
    resource, namespace = _text(spec, "resource"), _text(spec, "namespace")
    if not (user or group):
        group = ALL_AUTHENTICATED
    return Policy(
        user=user,
        group=group,
        api_group=_ANY,
        resource=resource or _ANY,
        namespace=namespace or _ANY,
        non_resource_path="" if resource or namespace else _ANY,
        readonly=spec.get("readonly") is True,
    )


def _text(spec: dict[str, Any], name: str) -> str:
    value = spec.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a string")
    return value
