"""Whose JWTs are accepted and what users they make: as --authentication-config says, or the flags --oidc-*.

Pure. Expressions are compiled by who reads the file; what is evaluated later is in here ready.
Source: apiserver pkg/apis/apiserver/v1/types.go, pkg/apis/apiserver/validation/validation.go.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from kubepy.api import names
from kubepy.api.errors import duplicate, invalid, required, too_many
from kubepy.apiserver.config.strict_fields import Fields, parse_document
from kubepy.lib import pki

ALGORITHMS = ("ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
_VERSIONS = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_ISSUERS_MOST = 64
_EMAIL = re.compile(r"\bclaims\.\??email\b")
_VERIFIED = re.compile(r"\bclaims\.\??email_verified\b")
_RESERVED = ("kubernetes.io", "k8s.io")

Evaluate = Callable[[Any], Any]
"""The value of an expression over its one variable. Raises ValueError."""


class Compile(Protocol):
    """Compiles expressions over `claims` or `user`."""

    def __call__(self, text: str, variable: str, *, is_rule: bool) -> Evaluate:
        """The compiled expression; a rule comes to true or false. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, its text, and what to say when it is a rule that does not hold."""

    text: str
    evaluate: Evaluate
    message: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a part of the user comes from: a claim with a prefix before it, or an expression; or nowhere."""

    claim: str = ""
    prefix: str = ""
    expression: Expression | None = None


NOWHERE = Source()


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtIssuer:
    """One issuer. `required` are claims with the value that they must have."""

    url: str
    audiences: tuple[str, ...]
    discovery_url: str = ""
    ca: bytes = b""
    algorithms: tuple[str, ...] = ALGORITHMS
    username: Source = Source("sub")
    groups: Source = NOWHERE
    uid: Source = NOWHERE
    extra: tuple[tuple[str, Expression], ...] = ()
    required: tuple[tuple[str, str], ...] = ()
    claim_rules: tuple[Expression, ...] = ()
    user_rules: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthenticationSettings:
    """What the file says. `anonymous` None leaves it to the flag; `anonymous_paths` empty means everywhere."""

    issuers: tuple[JwtIssuer, ...] = ()
    anonymous: bool | None = None
    anonymous_paths: frozenset[str] = field(default_factory=frozenset)


def parse_settings(text: str, compile_: Compile, disallowed: Sequence[str] = ()) -> AuthenticationSettings:
    """The settings of an AuthenticationConfiguration file. Raises ConfigError with every fault."""

    def read(fields: Fields) -> AuthenticationSettings:
        return _Reader(compile_, disallowed).settings(fields)

    return parse_document(text, kind="AuthenticationConfiguration", versions=_VERSIONS, read=read)


class _Reader:
    def __init__(self, compile_: Compile, disallowed: Sequence[str]) -> None:
        self._compile = compile_
        self._disallowed = disallowed

    def settings(self, fields: Fields) -> AuthenticationSettings:
        issuers = tuple(self._issuer(one) for one in fields.each("jwt"))
        if len(issuers) > _ISSUERS_MOST:
            fields.faults.append(too_many("jwt", len(issuers), _ISSUERS_MOST))
        for what in ("url", "discovery_url"):
            seen: set[str] = set()
            for index, one in enumerate(issuers):
                value = getattr(one, what)
                if value and value in seen:
                    name = "url" if what == "url" else "discoveryURL"
                    fields.faults.append(duplicate(f"jwt[{index}].issuer.{name}", value))
                seen.add(value)
        has_anonymous = fields.has("anonymous")
        below = fields.below("anonymous")
        enabled, paths = below.flag("enabled"), []
        for condition in below.each("conditions"):
            paths.append(condition.text("path"))
            condition.end()
        below.end()
        if paths and not enabled:
            why = "enabled should be set to true when conditions are defined"
            fields.faults.append(invalid("anonymous.conditions", paths, why))
        return AuthenticationSettings(issuers, enabled if has_anonymous else None, frozenset(paths))

    def _issuer(self, fields: Fields) -> JwtIssuer:
        issuer, mappings = fields.below("issuer"), fields.below("claimMappings")
        required_claims, claim_rules = self._claim_rules(fields)
        username = self._source(mappings, "username", needed=True)
        extra = tuple(self._extra(mappings))
        made = JwtIssuer(
            url=issuer.text("url"),
            discovery_url=issuer.text("discoveryURL"),
            ca=issuer.text("certificateAuthority").encode(),
            audiences=issuer.texts("audiences"),
            username=username,
            groups=self._source(mappings, "groups", needed=False),
            uid=self._uid(mappings),
            extra=extra,
            required=required_claims,
            claim_rules=claim_rules,
            user_rules=tuple(self._user_rules(fields)),
        )
        self._check_issuer(issuer, made)
        _check_email(mappings, username, [one for _, one in extra] + list(claim_rules))
        for part in (issuer, mappings, fields):
            part.end()
        return made

    def _check_issuer(self, issuer: Fields, made: JwtIssuer) -> None:
        faults = issuer.faults
        if not made.url:
            faults.append(required(issuer.at("url")))
        else:
            _check_url(issuer, "url", made.url, self._disallowed)
        if made.discovery_url:
            if made.url.rstrip("/") == made.discovery_url.rstrip("/"):
                why = "discoveryURL must be different from URL"
                faults.append(invalid(issuer.at("discoveryURL"), made.discovery_url, why))
            _check_url(issuer, "discoveryURL", made.discovery_url, ())
        policy = issuer.text("audienceMatchPolicy")
        _check_audiences(issuer, made.audiences, policy)
        if egress := issuer.text("egressSelectorType"):
            why = "egress selectors are not supported"
            faults.append(invalid(issuer.at("egressSelectorType"), egress, why))
        if made.ca:
            try:
                pki.load_certificates(made.ca)
            except pki.PkiError as fault:
                faults.append(invalid(issuer.at("certificateAuthority"), "<omitted>", str(fault)))

    def _expression(
        self, fields: Fields, name: str, variable: str = "claims", message: str | None = None
    ) -> Expression | None:
        """One with a message, be it empty, is a rule."""
        text = fields.text(name)
        try:
            return Expression(text, self._compile(text, variable, is_rule=message is not None), message or "")
        except ValueError as fault:
            fields.faults.append(invalid(fields.at(name), text, str(fault)))
            return None

    def _source(self, mappings: Fields, name: str, *, needed: bool) -> Source:
        fields = mappings.below(name)
        claim, prefix, has_expression = fields.text("claim"), fields.text("prefix"), bool(fields.text("expression"))
        expression = None
        if claim and has_expression:
            fields.faults.append(invalid(mappings.at(name), "", "claim and expression can't both be set"))
        elif has_expression:
            if fields.has("prefix"):
                why = "may not be specified when expression is set"
                fields.faults.append(invalid(fields.at("prefix"), prefix, why))
            expression = self._expression(fields, "expression")
        elif claim and not fields.has("prefix"):
            why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            fields.faults.append(required(fields.at("prefix"), why))
        elif not claim and needed:
            fields.faults.append(required(mappings.at(name), "claim or expression is required"))
        fields.end()
        return Source(claim, prefix, expression)

    def _uid(self, mappings: Fields) -> Source:
        fields = mappings.below("uid")
        claim, expression = fields.text("claim"), None
        if fields.text("expression"):
            if claim:
                fields.faults.append(invalid(mappings.at("uid"), "", "claim and expression can't both be set"))
            expression = self._expression(fields, "expression")
        fields.end()
        return Source(claim, "", expression)

    def _extra(self, mappings: Fields) -> "list[tuple[str, Expression]]":
        found: dict[str, Expression] = {}
        for fields in mappings.each("extra"):
            key = fields.text("key")
            fields.faults += [invalid(fields.at("key"), key, why) for why in _key_faults(key)]
            if key in found:
                fields.faults.append(duplicate(fields.at("key"), key))
            elif not fields.text("valueExpression"):
                fields.faults.append(required(fields.at("valueExpression")))
            elif (expression := self._expression(fields, "valueExpression")) is not None:
                found[key] = expression
            fields.end()
        return list(found.items())

    def _claim_rules(self, issuer: Fields) -> tuple[tuple[tuple[str, str], ...], tuple[Expression, ...]]:
        claims: dict[str, str] = {}
        rules: dict[str, Expression] = {}
        for fields in issuer.each("claimValidationRules"):
            claim, value = fields.text("claim"), fields.text("requiredValue")
            text, message = fields.text("expression"), fields.text("message")
            here = fields.path
            if claim and text:
                fields.faults.append(invalid(here, claim, "claim and expression can't both be set"))
            elif claim:
                if message:
                    why = "may not be specified when claim is set"
                    fields.faults.append(invalid(fields.at("message"), message, why))
                if claim in claims:
                    fields.faults.append(duplicate(fields.at("claim"), claim))
                claims[claim] = value
            elif not text:
                fields.faults.append(required(here, "claim or expression is required"))
            elif text in rules:
                fields.faults.append(duplicate(fields.at("expression"), text))
            else:
                if value:
                    why = "may not be specified when expression is set"
                    fields.faults.append(invalid(fields.at("requiredValue"), value, why))
                if (expression := self._expression(fields, "expression", "claims", message)) is not None:
                    rules[text] = expression
            fields.end()
        return tuple(claims.items()), tuple(rules.values())

    def _user_rules(self, issuer: Fields) -> list[Expression]:
        rules: dict[str, Expression] = {}
        for fields in issuer.each("userValidationRules"):
            text, message = fields.text("expression"), fields.text("message")
            if not text:
                fields.faults.append(required(fields.at("expression")))
            elif text in rules:
                fields.faults.append(duplicate(fields.at("expression"), text))
            elif (expression := self._expression(fields, "expression", "user", message)) is not None:
                rules[text] = expression
            fields.end()
        return list(rules.values())


def _check_url(issuer: Fields, name: str, url: str, disallowed: Sequence[str]) -> None:
    whys = []
    if url in disallowed:
        whys.append(f"URL must not overlap with disallowed issuers: [{' '.join(sorted(disallowed))}]")
    whys += url_faults(url)
    issuer.faults += [invalid(issuer.at(name), url, why) for why in whys]


def url_faults(url: str) -> list[str]:
    """What is wrong with the URL of an issuer."""
    try:
        parts = urlsplit(url)
    except ValueError as fault:
        return [str(fault)]
    found = []
    if parts.scheme != "https":
        found.append("URL scheme must be https")
    if parts.username is not None:
        found.append("URL must not contain a username or password")
    if parts.query:
        found.append("URL must not contain a query")
    if parts.fragment:
        found.append("URL must not contain a fragment")
    return found


def _check_audiences(issuer: Fields, audiences: tuple[str, ...], policy: str) -> None:
    faults, path = issuer.faults, issuer.at("audiences")
    if not audiences:
        faults.append(required(path, f"at least one {path} is required"))
    for index, audience in enumerate(audiences):
        if not audience:
            faults.append(required(f"{path}[{index}]"))
        if audience in audiences[:index]:
            faults.append(duplicate(f"{path}[{index}]", audience))
    at = issuer.at("audienceMatchPolicy")
    if len(audiences) > 1 and policy != "MatchAny":
        faults.append(invalid(at, policy, "audienceMatchPolicy must be MatchAny for multiple audiences"))
    elif policy not in ("", "MatchAny"):
        faults.append(invalid(at, policy, "audienceMatchPolicy must be empty or MatchAny for single audience"))


def _key_faults(key: str) -> list[str]:
    """What is wrong with a key of extra: it is `DOMAIN/PATH` in small letters, and not Kubernetes' own."""
    domain, slash, path = key.partition("/")
    found = []
    if not slash or not path or names.is_dns1123_subdomain(domain):
        found.append('must be a domain-prefixed path (such as "acme.io/foo")')
    if key != key.lower():
        found.append("must be lowercase")
    if any(domain == own or domain.endswith(f".{own}") for own in _RESERVED):
        found.append("k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use")
    return found


def _check_email(mappings: Fields, username: Source, others: list[Expression]) -> None:
    """An address is nobody's unless its issuer says that it is verified."""
    if username.expression is None or not _EMAIL.search(username.expression.text):
        return
    if not any(_VERIFIED.search(one.text) for one in [username.expression, *others]):
        why = (
            "claims.email_verified must be used in claimMappings.username.expression or "
            "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used "
            "in claimMappings.username.expression"
        )
        mappings.faults.append(invalid(mappings.at("username.expression"), username.expression.text, why))
