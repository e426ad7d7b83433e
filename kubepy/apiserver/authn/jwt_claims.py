"""The user that the claims of a verified JWT stand for, by the mappings and rules of its issuer. Pure.

Source: apiserver plugin/pkg/authenticator/token/oidc/oidc.go.
"""

from typing import Any

import orjson

from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.jwt_settings import Expression, JwtIssuer, Source
from kubepy.apiserver.authn.user import UserInfo
from kubepy.lib.jwt_keys import Claims

_LIST = "expression must return a string or a list of strings"


def user_of(issuer: JwtIssuer, claims: Claims) -> UserInfo:
    """The user. Raises Refused when a claim is missing or a rule does not hold."""
    user = UserInfo(
        _username(issuer.username, claims),
        _uid(issuer.uid, claims),
        _groups(issuer.groups, claims),
        _extra(issuer, claims),
    )
    for claim, value in issuer.required:
        if claim not in claims:
            raise Refused(f"oidc: required claim {claim} not present in ID token")
        found = _text(claims, claim, "claim")
        if found != value:
            raise Refused(f"oidc: required claim {claim} value does not match. Got = {found}, want = {value}")
    for rule in issuer.claim_rules:
        _require(rule, claims, "claim validation expression")
    if issuer.user_rules:
        wire = {"uid": "", "groups": [], "extra": {}, "username": "", **user.to_wire()}
        for rule in issuer.user_rules:
            _require(rule, wire, "user info validation rule")
    return user


def _username(source: Source, claims: Claims) -> str:
    if source.expression is not None:
        return _text_of(source.expression, claims, "username")
    found = _text(claims, source.claim, "username claims")
    if source.claim == "email" and "email_verified" in claims:
        verified = claims["email_verified"]
        if not isinstance(verified, bool):
            raise Refused("oidc: parse 'email_verified' claim: it is not a boolean")
        if not verified:
            raise Refused("oidc: email not verified")
    return source.prefix + found


def _uid(source: Source, claims: Claims) -> str:
    if source.claim:
        return _text(claims, source.claim, "uid claim")
    return _text_of(source.expression, claims, "uid") if source.expression is not None else ""


def _groups(source: Source, claims: Claims) -> tuple[str, ...]:
    if source.claim:
        if source.claim not in claims:
            return ()
        found = claims[source.claim]
        groups = [found] if isinstance(found, str) else found
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise Refused(f'oidc: parse groups claim "{source.claim}": neither a string nor a list of strings')
        return tuple(source.prefix + group for group in groups)
    if source.expression is None:
        return ()
    return _texts_of(source.expression, claims, "error evaluating group claim expression")


def _extra(issuer: JwtIssuer, claims: Claims) -> dict[str, tuple[str, ...]]:
    found = {
        key: _texts_of(one, claims, f"error evaluating extra claim expression: {one.text}") for key, one in issuer.extra
    }
    return {key: values for key, values in found.items() if values}


def _text(claims: Claims, name: str, what: str) -> str:
    if name not in claims:
        raise Refused(f'oidc: parse {what} "{name}": claim not present')
    value = claims[name]
    if not isinstance(value, str):
        raise Refused(f'oidc: parse {what} "{name}": not a string but {orjson.dumps(value).decode()}')
    return value


def _text_of(expression: Expression, claims: Claims, what: str) -> str:
    value = _evaluate(expression, claims, f"error evaluating {what} claim expression")
    if not isinstance(value, str):
        why = f"{what} claim expression must return a string"
        raise Refused(f"oidc: error evaluating {what} claim expression: {why}")
    return value


def _texts_of(expression: Expression, claims: Claims, what: str) -> tuple[str, ...]:
    """The texts, empty ones left out; null is none at all."""
    value = _evaluate(expression, claims, what)
    values = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise Refused(f"oidc: {what}: {_LIST}")
    return tuple(one for one in values if one)


def _require(rule: Expression, variable: Any, what: str) -> None:
    verdict = _evaluate(rule, variable, f"error evaluating {what}")
    if not isinstance(verdict, bool):
        raise Refused(f"oidc: error evaluating {what}: validation expression must return a boolean")
    if not verdict:
        why = f"validation expression '{rule.text}' failed: {rule.message}"
        raise Refused(f"oidc: error evaluating {what}: {why}")


def _evaluate(expression: Expression, variable: Any, what: str) -> Any:
    try:
        return expression.evaluate(variable)
    except ValueError as fault:
        raise Refused(f"oidc: {what}: {fault}") from fault
