"""Issuers of JWTs: what their file may say, and what users their claims make."""

from typing import Any

import pytest
import yaml

from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.jwt_claims import user_of
from kubepy.apiserver.authn.jwt_settings import AuthenticationSettings, JwtIssuer, Source, parse_settings
from kubepy.apiserver.authn.jwt_tokens import check_claims
from kubepy.apiserver.authn.provider_keys import keys_of
from kubepy.apiserver.config.expressions import compile_expression
from kubepy.apiserver.config.strict_fields import ConfigError

Object = dict[str, Any]
ISSUER = JwtIssuer(url="https://issuer", audiences=("a",), groups=Source("groups", "g:"))


def parse(*jwt: Object, **more: Any) -> AuthenticationSettings:
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
    return parse_settings(yaml.safe_dump({**head, "jwt": list(jwt), **more}), compile_expression, ["https://own"])


def issuer(url: str = "https://issuer", **more: Any) -> Object:
    mappings = {"username": {"claim": "sub", "prefix": ""}}
    return {"issuer": {"url": url, "audiences": ["a"]}, "claimMappings": mappings, **more}


def faults(*jwt: Object, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(*jwt, **more)
    return caught.value.faults


def refusal(settings: JwtIssuer, **claims: Any) -> str:
    with pytest.raises(Refused) as caught:
        user_of(settings, claims)
    return str(caught.value)


def test_all_faults_of_the_file_are_told() -> None:
    wrong = {"issuer": {"url": "http://me@issuer?q#f", "audiences": ["a", "", "a"]}, "claimMappings": {"nonsense": 1}}
    assert faults(wrong, issuer("https://own"), issuer(claimMappings={"username": {"claim": "sub"}})) == [
        "jwt[0].claimMappings.username: Required value: claim or expression is required",
        'jwt[0].issuer.url: Invalid value: "http://me@issuer?q#f": URL scheme must be https',
        'jwt[0].issuer.url: Invalid value: "http://me@issuer?q#f": URL must not contain a username or password',
        'jwt[0].issuer.url: Invalid value: "http://me@issuer?q#f": URL must not contain a query',
        'jwt[0].issuer.url: Invalid value: "http://me@issuer?q#f": URL must not contain a fragment',
        "jwt[0].issuer.audiences[1]: Required value",
        'jwt[0].issuer.audiences[2]: Duplicate value: "a"',
        'jwt[0].issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple '
        "audiences",
        "jwt[0].claimMappings.nonsense: unknown field",
        'jwt[1].issuer.url: Invalid value: "https://own": URL must not overlap with disallowed issuers: [https://own]',
        "jwt[2].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to "
        "an empty string to disable prefixing",
    ]


def test_rules_are_claims_or_expressions() -> None:
    rules = [{"claim": "a", "expression": "true"}, {}, {"claim": "b", "message": "m"}]
    assert faults(issuer(claimValidationRules=rules)) == [
        'jwt[0].claimValidationRules[0]: Invalid value: "a": claim and expression can\'t both be set',
        "jwt[0].claimValidationRules[1]: Required value: claim or expression is required",
        'jwt[0].claimValidationRules[2].message: Invalid value: "m": may not be specified when claim is set',
    ]


def test_two_issuers_are_two() -> None:
    assert faults(issuer(), issuer()) == ['jwt[1].issuer.url: Duplicate value: "https://issuer"']


def test_conditions_are_of_those_who_may_be_anonymous() -> None:
    found = faults(anonymous={"enabled": False, "conditions": [{"path": "/x"}]})
    assert found == [
        'anonymous.conditions: Invalid value: ["/x"]: enabled should be set to true when conditions are defined'
    ]
    assert parse(anonymous={"enabled": True}).anonymous is True
    assert parse().anonymous is None


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected apiserver\.config\.k8s\.io/v1, Kind=AuthenticationConfiguration"):
        parse_settings("kind: Other\napiVersion: v1\n", compile_expression)


def test_groups_may_be_one_or_many() -> None:
    assert user_of(ISSUER, {"sub": "alice", "groups": "a"}).groups == ("g:a",)
    assert user_of(ISSUER, {"sub": "alice", "groups": ["a", "b"]}).groups == ("g:a", "g:b")
    assert user_of(ISSUER, {"sub": "alice"}).groups == ()
    assert "groups" in refusal(ISSUER, sub="alice", groups=[1])


def test_an_address_that_is_not_verified_is_no_name() -> None:
    by_mail = JwtIssuer(url="https://issuer", audiences=("a",), username=Source("email", "p:"))
    assert user_of(by_mail, {"email": "a@b"}).name == "p:a@b"
    assert user_of(by_mail, {"email": "a@b", "email_verified": True}).name == "p:a@b"
    assert refusal(by_mail, email="a@b", email_verified=False) == "oidc: email not verified"
    assert refusal(by_mail) == 'oidc: parse username claims "email": claim not present'


def test_a_token_without_an_end_is_refused() -> None:
    check_claims(ISSUER, {"aud": ["x", "a"], "exp": 11}, 10)
    check_claims(ISSUER, {"aud": "a", "exp": 11, "nbf": 300}, 10)
    for claims in ({"aud": "b", "exp": 11}, {"aud": "a"}, {"aud": "a", "exp": 9}, {"aud": "a", "exp": 11, "nbf": 311}):
        with pytest.raises(Refused):
            check_claims(ISSUER, claims, 10)


def test_keys_that_are_not_for_signatures_are_left_out() -> None:
    secret = {"kty": "oct", "k": "AAAA", "kid": "x"}
    assert keys_of({"keys": [{"kty": "RSA", "use": "enc"}, {"kty": "unknown"}, "nonsense"]}) == ()
    assert keys_of({"keys": [secret]}) == ()


def test_expressions_make_users_and_judge_them() -> None:
    made = parse(
        issuer(
            claimMappings={
                "username": {"expression": "'x:' + claims.sub"},
                "groups": {"expression": "claims.roles.split(',')"},
                "uid": {"expression": "claims.uid"},
                "extra": [{"key": "a.example/team", "valueExpression": "claims.?team.orValue('')"}],
            },
            claimValidationRules=[{"expression": "claims.level > 3", "message": "too low"}],
            userValidationRules=[{"expression": "!user.username.startsWith('x:system:')", "message": "reserved"}],
        )
    ).issuers[0]
    claims = {"sub": "alice", "roles": "a,,b", "uid": "7", "team": "red", "level": 4}
    user = user_of(made, claims)
    assert (user.name, user.groups, user.uid) == ("x:alice", ("a", "b"), "7")
    assert user.extra == {"a.example/team": ("red",)}
    assert user_of(made, {key: value for key, value in claims.items() if key != "team"}).extra == {}
    failed = "validation expression 'claims.level > 3' failed: too low"
    assert refusal(made, **{**claims, "level": 1}) == f"oidc: error evaluating claim validation expression: {failed}"
    assert "reserved" in refusal(made, **{**claims, "sub": "system:admin"})
    assert "no such key: uid" in refusal(made, sub="alice", roles="")
    number = {"username": {"expression": "claims.level"}}
    assert "username claim expression must return a string" in refusal(
        parse(issuer(claimMappings=number)).issuers[0], level=1
    )


def test_expressions_that_are_none_are_refused() -> None:
    mappings = {"username": {"expression": "claims.sub +"}}
    rules = [{"expression": "'text'"}]
    found = faults(issuer(claimMappings=mappings, userValidationRules=rules))
    assert found[0].startswith(
        'jwt[0].claimMappings.username.expression: Invalid value: "claims.sub +": compilation failed'
    )
    assert found[1].endswith("must evaluate to bool")


def test_an_address_must_be_verified_by_some_expression() -> None:
    mappings = {"username": {"expression": "claims.email"}}
    found = faults(issuer(claimMappings=mappings))
    assert found[0].startswith('jwt[0].claimMappings.username.expression: Invalid value: "claims.email": claims.email_')
    parse(issuer(claimMappings=mappings, claimValidationRules=[{"expression": "claims.email_verified == true"}]))
