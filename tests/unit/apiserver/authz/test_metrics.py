"""What /metrics says of who was let in and who was not."""

import asyncio

import pytest
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry, generate_latest

from kubepy.api.errors import Unauthorized
from kubepy.apiserver.authn.chain import Authenticator, Tokens
from kubepy.apiserver.authn.metrics import AuthenticationMetrics, compressed
from kubepy.apiserver.authn.token_file import TokenFile
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import AlwaysAllow, AlwaysDeny, Authorization
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.authz.metrics import AuthorizationMetrics
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Request


def test_requests_are_counted_by_how_they_were_authenticated() -> None:
    registry = CollectorRegistry()
    tokens = Tokens([TokenFile({"good": UserInfo("alice@example.com")})])
    chain = Authenticator(tokens=tokens, anonymous=False, metrics=AuthenticationMetrics(registry))

    def ask(headers: dict[str, str]) -> None:
        asyncio.run(chain.authenticate(Request("GET", "/", headers=CIMultiDict(headers))))

    for _ in range(2):
        ask({"Authorization": "Bearer good"})
    for headers in ({}, {"Authorization": "Bearer bad"}):
        with pytest.raises(Unauthorized):
            ask(headers)
    text = generate_latest(registry).decode()
    for line in (
        'authenticated_user_requests{username="email_id"} 2.0',
        'authentication_attempts{result="success"} 2.0',
        'authentication_attempts{result="failure"} 1.0',
        'authentication_attempts{result="error"} 1.0',
        'authentication_duration_seconds_count{result="success"} 2.0',
        'authentication_token_cache_request_total{status="hit"} 1.0',
        'authentication_token_cache_request_total{status="miss"} 2.0',
        'authentication_token_cache_fetch_total{status="error"} 1.0',
    ):
        assert line in text


def test_users_are_few_in_labels() -> None:
    names = ("kubelet", "a@b", "system:serviceaccount:a:b")
    assert [compressed(name) for name in names] == ["kubelet", "email_id", "other"]


def test_decisions_are_counted_by_who_made_them_and_requests_by_how_they_came_out() -> None:
    registry = CollectorRegistry()
    authorization = Authorization([AlwaysDeny(), AlwaysAllow()])
    authorization.metrics = metrics = AuthorizationMetrics(registry)
    assert authorization.decide(UserInfo("alice"), RequestInfo("get", "/")).allowed
    for decision in (Decision(True), Decision(False), Decision(False, denied=True)):
        metrics.observe(decision, 0.001)
    text = generate_latest(registry).decode()
    for line in (
        'apiserver_authorization_decisions_total{decision="allowed",name="alwaysallow",type="AlwaysAllow"} 1.0',
        'authorization_attempts_total{result="allowed"} 1.0',
        'authorization_attempts_total{result="denied"} 1.0',
        'authorization_attempts_total{result="no-opinion"} 1.0',
        'authorization_duration_seconds_count{result="allowed"} 1.0',
    ):
        assert line in text
