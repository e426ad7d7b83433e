"""PolicyRules: what a rule allows, and whether some rules cover another. Pure.

Source: pkg/apis/rbac/v1/evaluation_helpers.go; component-helpers/auth/rbac/validation/policy_comparator.go.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kubepy.apiserver.http.request_info import RequestInfo

Rule = dict[str, Any]
ALL = "*"
EVERYTHING: Sequence[Rule] = (
    {"verbs": [ALL], "apiGroups": [ALL], "resources": [ALL]},
    {"verbs": [ALL], "nonResourceURLs": [ALL]},
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The rules of a user as an authorizer lists them; `incomplete`: there may be more, and `faults` say why."""

    rules: Sequence[Rule] = ()
    faults: tuple[str, ...] = ()
    incomplete: bool = False


def rule_allows(rule: Rule, info: RequestInfo) -> bool:
    """Whether one rule allows the request."""
    verbs = rule.get("verbs") or ()
    if ALL not in verbs and info.verb not in verbs:
        return False
    if not info.is_resource:
        return any(url_matches(pattern, info.path) for pattern in rule.get("nonResourceURLs") or ())
    groups, names = rule.get("apiGroups") or (), rule.get("resourceNames") or ()
    return (
        (ALL in groups or info.group in groups)
        and any(resource_matches(pattern, info.resource, info.subresource) for pattern in rule.get("resources") or ())
        and (not names or info.name in names)
    )


def resource_matches(pattern: str, resource: str, subresource: str) -> bool:
    """Whether a rule's resource (`pods`, `pods/log`, `*/scale`, `*`) means this one."""
    if pattern == ALL:
        return True
    if subresource:
        return pattern in (f"{resource}/{subresource}", f"*/{subresource}")
    return pattern == resource


def url_matches(pattern: str, path: str) -> bool:
    """Whether a rule's URL, which may end in `*`, means this path."""
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def uncovered(owned: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The parts of `wanted`, one verb and resource each, that no rule of `owned` covers."""
    return [part for rule in wanted for part in split_rule(rule) if not any(covers(own, part) for own in owned)]


def split_rule(rule: Rule) -> Iterator[Rule]:
    """The rule as rules of a single verb on a single thing."""
    names: Sequence[str] = rule.get("resourceNames") or ()
    for verb in rule.get("verbs") or ():
        for url in rule.get("nonResourceURLs") or ():
            yield {"nonResourceURLs": [url], "verbs": [verb]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                if not names:
                    yield part
                for name in names:
                    yield {**part, "resourceNames": [name]}


def covers(owner: Rule, part: Rule) -> bool:
    """Whether `owner` allows all that `part` (see split_rule) does."""
    if not _has(owner.get("verbs"), part["verbs"][0]):
        return False
    if urls := part.get("nonResourceURLs"):
        return any(url_covers(pattern, urls[0]) for pattern in owner.get("nonResourceURLs") or ())
    owner_names: Sequence[str] = owner.get("resourceNames") or ()
    names: Sequence[str] = part.get("resourceNames") or ()
    return (
        _has(owner.get("apiGroups"), part["apiGroups"][0])
        and resource_covers(owner.get("resources") or (), part["resources"][0])
        and (not owner_names or (bool(names) and names[0] in owner_names))
    )


def resource_covers(owned: Sequence[str], resource: str) -> bool:
    """Whether the resources of a rule cover one resource or pattern."""
    if ALL in owned or resource in owned:
        return True
    _, slash, subresource = resource.partition("/")
    return bool(slash) and f"*/{subresource}" in owned


def url_covers(owner: str, url: str) -> bool:
    """Whether the URL pattern `owner` covers the pattern `url`."""
    return owner in (ALL, url) or (owner.endswith(ALL) and url.startswith(owner.rstrip(ALL)))


def render_rule(rule: Rule) -> str:
    """A rule as upstream's messages show it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`."""
    parts = (
        ("NonResourceURLs", "nonResourceURLs"),
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    )
    shown = (f"{title}:[{' '.join(map(quote, rule[key]))}]" for title, key in parts if rule.get(key))
    return "{" + ", ".join(shown) + "}"


def quote(text: str) -> str:
    """Text in double quotes, as Go's %q."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _has(values: Sequence[str] | None, value: str) -> bool:
    return values is not None and (ALL in values or value in values)


def joined(faults: Sequence[str]) -> str:
    """Several faults as Go's aggregate shows them: one by itself, more in brackets, none twice."""
    found = list(dict.fromkeys(faults))
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"
