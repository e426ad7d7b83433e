"""Reviews of access: may this user, or I, do that; and what may I do at all in a namespace.

Nothing is stored: an object comes in, the same object with a status goes out.
Source: pkg/registry/authorization.
"""

from collections.abc import Sequence
from typing import Any

from kubepy.api.errors import BadRequest, invalid_object
from kubepy.api.validation.registry import rules_for
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.authz.rules import Rule, joined
from kubepy.apiserver.authz.selectors import field_text, label_text
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Object

GROUP = "authorization.k8s.io"


async def review_subject_access(authorization: Authorization, review: Object) -> Object:
    """A SubjectAccessReview with its answer. Raises Invalid."""
    _check(review)
    return await _answer(authorization, user_of(review["spec"]), review)


async def review_local_access(authorization: Authorization, review: Object, namespace: str) -> Object:
    """A LocalSubjectAccessReview of `namespace` with its answer. Raises Invalid, BadRequest."""
    review.setdefault("metadata", {})["namespace"] = namespace
    _check(review)
    attributes = review["spec"].get("resourceAttributes") or {}
    if attributes.get("namespace") != namespace:
        raise BadRequest(f"spec.resourceAttributes.namespace must match namespace: {namespace}")
    return await _answer(authorization, user_of(review["spec"]), review)


async def review_self_access(authorization: Authorization, user: UserInfo, review: Object) -> Object:
    """A SelfSubjectAccessReview of `user` with its answer. Raises Invalid."""
    _check(review)
    return await _answer(authorization, user, review)


async def review_self_rules(authorization: Authorization, user: UserInfo, review: Object) -> Object:
    """A SelfSubjectRulesReview of `user` with all rules. Raises BadRequest without a namespace."""
    namespace = (review.get("spec") or {}).get("namespace") or ""
    if not namespace:
        raise BadRequest("no namespace on request")
    found = authorization.rules_for(user, namespace)
    status: Object = {
        "resourceRules": [
            _pick(rule, "verbs", "apiGroups", "resources", "resourceNames") for rule in _of_resources(found.rules)
        ],
        "nonResourceRules": [
            _pick(rule, "verbs", "nonResourceURLs") for rule in found.rules if rule.get("nonResourceURLs")
        ],
        "incomplete": found.incomplete,
    }
    if found.faults:
        status["evaluationError"] = joined(found.faults)
    return {**review, "status": status}


def user_of(spec: Object) -> UserInfo:
    """The user that a review asks about."""
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return UserInfo(spec.get("user") or "", spec.get("uid") or "", tuple(spec.get("groups") or ()), extra)


def request_of(spec: Object) -> RequestInfo:
    """The request that a review asks about."""
    if (attributes := spec.get("nonResourceAttributes")) is not None:
        return RequestInfo(attributes.get("verb", ""), attributes.get("path", ""))
    asked: dict[str, Any] = spec["resourceAttributes"]
    return RequestInfo(
        verb=asked.get("verb", ""),
        path="",
        is_resource=True,
        group=asked.get("group", ""),
        version=asked.get("version", ""),
        resource=asked.get("resource", ""),
        subresource=asked.get("subresource", ""),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
        field_selector=field_text(asked),
        label_selector=label_text(asked),
    )


def status_of(decision: Decision) -> Object:
    """The status of an access review."""
    status: Object = {"allowed": decision.allowed}
    if decision.denied:
        status["denied"] = True
    if decision.reason:
        status["reason"] = decision.reason
    return status


async def _answer(authorization: Authorization, user: UserInfo, review: Object) -> Object:
    decision = await authorization.authorize(user, request_of(review["spec"]))
    return {**review, "status": status_of(decision)}


def _check(review: Object) -> None:
    kind = review["kind"]
    if faults := rules_for(GROUP, kind).create(review):
        raise invalid_object(GROUP, kind, (review.get("metadata") or {}).get("name", ""), faults)


def _of_resources(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.get("resources")]


def _pick(rule: Rule, *keys: str) -> Rule:
    return {key: rule[key] for key in keys if rule.get(key)}
