"""The audit policy: at which level a request is written down, by the first rule that means it. Pure.

Source: apiserver pkg/audit/policy; pkg/apis/audit/v1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from kubepy.api import names
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.http.request_info import RequestInfo

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")


class PolicyError(ValueError):
    """The file is no usable policy; `faults` holds every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much is written down of a request, and at which stages nothing is."""

    level: str
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


NOTHING = Verdict("None")


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in order; stages that are omitted everywhere."""

    rules: tuple[Mapping[str, Any], ...]
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False

    def judge(self, user: UserInfo | None, info: RequestInfo) -> Verdict:
        """The verdict of the first rule that means the request; without one, nothing is written."""
        for rule in self.rules:
            if rule_means(rule, user, info):
                own = rule.get("omitManagedFields")
                return Verdict(
                    rule["level"],
                    self.omit_stages | frozenset(rule.get("omitStages") or ()),
                    self.omit_managed_fields if own is None else bool(own),
                )
        return NOTHING


def rule_means(rule: Mapping[str, Any], user: UserInfo | None, info: RequestInfo) -> bool:
    """Whether a rule means the request; what it says nothing about, it does not narrow."""
    if (users := rule.get("users")) and (user is None or user.name not in users):
        return False
    if (groups := rule.get("userGroups")) and (user is None or not set(user.groups) & set(groups)):
        return False
    if (verbs := rule.get("verbs")) and info.verb not in verbs:
        return False
    if rule.get("namespaces") or rule.get("resources"):
        return info.is_resource and _means_resource(rule, info)
    if urls := rule.get("nonResourceURLs"):
        return not info.is_resource and any(_means_url(pattern, info.path) for pattern in urls)
    return True


def _means_resource(rule: Mapping[str, Any], info: RequestInfo) -> bool:
    if (namespaces := rule.get("namespaces")) and info.namespace not in namespaces:
        return False
    entries = rule.get("resources") or ()
    return not entries or any(_means_entry(entry, info) for entry in entries)


def _means_entry(entry: Mapping[str, Any], info: RequestInfo) -> bool:
    if (entry.get("group") or "") != info.group:
        return False
    if (names := entry.get("resourceNames")) and info.name not in names:
        return False
    # With all of its subresources, as in `pods/*`, the resource itself is meant.
    meant = {"*", f"{info.resource}/*", f"{info.resource}/{info.subresource}" if info.subresource else info.resource}
    if info.subresource:
        meant.add(f"*/{info.subresource}")
    wanted = entry.get("resources") or ()
    return not wanted or not meant.isdisjoint(wanted)


def _means_url(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def parse_policy(text: str) -> Policy:
    """Raises PolicyError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError([f"not YAML: {error}"]) from error
    if not isinstance(document, dict) or document.get("kind") != "Policy":
        raise PolicyError(["kind must be Policy"])
    faults = []
    if document.get("apiVersion") != "audit.k8s.io/v1":
        faults.append(f"apiVersion {document.get('apiVersion')!r} is not audit.k8s.io/v1")
    rules = document.get("rules") or []
    if not rules:
        faults.append("rules: Required value: a policy without rules writes nothing")
    for index, rule in enumerate(rules):
        faults += _rule_faults(rule, f"rules[{index}]")
    faults += _stage_faults(document.get("omitStages") or (), "omitStages")
    if faults:
        raise PolicyError(faults)
    omitted = frozenset(document.get("omitStages") or ())
    return Policy(tuple(rules), omitted, bool(document.get("omitManagedFields")))


def _rule_faults(rule: Mapping[str, Any], path: str) -> list[str]:
    faults = _stage_faults(rule.get("omitStages") or (), f"{path}.omitStages")
    if rule.get("level") not in LEVELS:
        shown = ", ".join(LEVELS)
        faults.append(f"{path}.level: Unsupported value: {rule.get('level')!r}: supported values: {shown}")
    if rule.get("nonResourceURLs") and (rule.get("resources") or rule.get("namespaces")):
        faults.append(
            f"{path}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs"
        )
    for index, url in enumerate(rule.get("nonResourceURLs") or ()):
        faults += _url_faults(url, f"{path}.nonResourceURLs[{index}]")
    for index, entry in enumerate(rule.get("resources") or ()):
        faults += _entry_faults(entry, f"{path}.resources[{index}]")
    return faults


def _url_faults(url: str, path: str) -> list[str]:
    if url == "*":
        return []
    faults = []
    if not url.startswith("/"):
        faults.append(f"{path}: Invalid value: \"{url}\": non-resource URL rules must begin with a '/' character")
    if "*" in url[:-1]:
        why = "non-resource URL wildcards '*' must be the final character of the rule"
        faults.append(f'{path}: Invalid value: "{url}": {why}')
    return faults


def _entry_faults(entry: Mapping[str, Any], path: str) -> list[str]:
    group, faults = entry.get("group") or "", []
    if group and (whys := names.is_dns1123_subdomain(group)):
        faults.append(f'{path}.group: Invalid value: "{group}": {", ".join(whys)}')
    if entry.get("resourceNames") and not entry.get("resources"):
        why = "using resourceNames requires at least one resource"
        faults.append(f"{path}.resourceNames: Invalid value: [{' '.join(entry['resourceNames'])}]: {why}")
    return faults


def _stage_faults(stages: Sequence[str], path: str) -> list[str]:
    return [f"{path}: Unsupported value: {stage!r}" for stage in stages if stage not in STAGES]
