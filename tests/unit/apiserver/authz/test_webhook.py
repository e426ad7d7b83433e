"""Authorization by webhooks: what they are asked, and what their answers or their silence mean."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from kubepy.api.errors import InternalError
from kubepy.api.meta import Object
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import AlwaysAllow, AlwaysDeny, Authorization
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.authz.metrics import AuthorizationMetrics
from kubepy.apiserver.authz.settings import AuthorizerSettings, parse_settings
from kubepy.apiserver.authz.webhook import WebhookAuthorizer, WebhookSettings, spec_of
from kubepy.apiserver.config.expressions import compile_expression
from kubepy.apiserver.config.strict_fields import ConfigError
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.webhooks.client import ANSWER_MOST, CallError
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib import kubeconfig

ALICE = UserInfo("alice", "7", ("dev",), {"k": ("v",)})
GET_POD = RequestInfo("get", "", True, "", "v1", "pods", "", "ns", "a")


class Webhooks:
    """Answers reviews by a status, or fails."""

    def __init__(self, *answers: Object | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Object] = []

    async def call(
        self, target: Target, review: Object, *, timeout_s: float | None = None, most: int = ANSWER_MOST
    ) -> Object:
        self.asked.append(review)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {**review, "status": answer}


def authorizer(webhooks: Webhooks, **settings: Any) -> WebhookAuthorizer:
    return WebhookAuthorizer(WebhookSettings(name="w", target=Target(url="https://w"), **settings), webhooks)


def ask(one: WebhookAuthorizer, info: RequestInfo = GET_POD) -> Decision:
    return asyncio.run(one.ask(ALICE, info))


def test_a_review_says_who_wants_what() -> None:
    listed = RequestInfo(
        "list",
        "",
        True,
        "apps",
        "v1",
        "deployments",
        field_selector="metadata.name=a,x!=y",
        label_selector="app in (a,b),!old,tier",
    )
    assert spec_of(ALICE, listed) == {
        "user": "alice", "uid": "7", "groups": ["dev"], "extra": {"k": ["v"]},
        "resourceAttributes": {
            "verb": "list", "group": "apps", "version": "v1", "resource": "deployments",
            "fieldSelector": {
                "requirements": [
                    {"key": "metadata.name", "operator": "In", "values": ["a"]},
                    {"key": "x", "operator": "NotIn", "values": ["y"]},
                ]
            },
            "labelSelector": {
                "requirements": [
                    {"key": "app", "operator": "In", "values": ["a", "b"]},
                    {"key": "old", "operator": "DoesNotExist"},
                    {"key": "tier", "operator": "Exists"},
                ]
            },
        },
    }  # fmt: skip
    assert spec_of(UserInfo("bob"), RequestInfo("get", "/healthz")) == {
        "user": "bob",
        "nonResourceAttributes": {"path": "/healthz", "verb": "get"},
    }


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        ({"allowed": True, "reason": "r"}, Decision(True, "r")),
        ({"allowed": False, "reason": "r"}, Decision(False, "r")),
        ({"denied": True}, Decision(False, "", denied=True)),
        ({"allowed": True, "denied": True}, Decision(False, "", denied=True)),
        ({}, Decision(False)),
    ],
)
def test_an_answer_allows_denies_or_leaves_it_to_others(status: Object, decision: Decision) -> None:
    assert ask(authorizer(Webhooks(status))) == decision


def test_answers_are_remembered() -> None:
    webhooks = Webhooks({"allowed": True}, {"allowed": False})
    one = authorizer(webhooks)
    assert [ask(one).allowed for _ in range(3)] == [True, True, True]
    assert not ask(one, RequestInfo("get", "/x")).allowed
    assert len(webhooks.asked) == 2
    forgetful = authorizer(Webhooks({"allowed": False}, {"allowed": True}), unauthorized_ttl_s=0.0)
    assert [ask(forgetful).allowed for _ in range(2)] == [False, True]


def test_a_webhook_that_fails_grants_nothing() -> None:
    fault = CallError("no way")
    assert ask(authorizer(Webhooks(fault))) == Decision(False)
    assert ask(authorizer(Webhooks(fault), denies_on_failure=True)) == Decision(False, "", denied=True)


def test_an_overloaded_webhook_is_asked_again() -> None:
    webhooks = Webhooks(CallError("busy", InternalError("busy")), {"allowed": True})
    assert ask(authorizer(webhooks)).allowed
    assert len(webhooks.asked) == 2


def test_the_older_version_names_groups_otherwise() -> None:
    webhooks = Webhooks({"allowed": True})
    ask(authorizer(webhooks, version="v1beta1"))
    assert webhooks.asked[0]["apiVersion"] == "authorization.k8s.io/v1beta1"
    assert webhooks.asked[0]["spec"]["group"] == ["dev"]


def test_authorizers_decide_in_order() -> None:
    async def decide(*authorizers: Any) -> Decision:
        return await Authorization(authorizers).authorize(ALICE, GET_POD)

    allow, deny = authorizer(Webhooks({"allowed": True})), authorizer(Webhooks({"denied": True, "reason": "no"}))
    assert asyncio.run(decide(AlwaysDeny(), allow)).allowed
    assert asyncio.run(decide(deny, AlwaysAllow())) == Decision(False, "no", denied=True)
    silent = authorizer(Webhooks({"reason": "never heard"}))
    assert asyncio.run(decide(AlwaysDeny(), silent)).reason == "Everything is forbidden.\nnever heard"


def test_masters_are_never_asked_about() -> None:
    webhooks = Webhooks()
    master = UserInfo("root", groups=("system:masters",))
    assert asyncio.run(Authorization([authorizer(webhooks)]).authorize(master, GET_POD)).allowed


def parse(*authorizers: Object, needed: tuple[str, ...] = ()) -> list[AuthorizerSettings]:
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
    return parse_settings(yaml.safe_dump({**head, "authorizers": list(authorizers)}), compile_expression, needed)


def webhook(folder: Path, **more: Any) -> Object:
    (folder / "w").write_text(kubeconfig.render(kubeconfig.RestConfig(server="https://w")))
    return {
        "timeout": "3s", "authorizedTTL": "5m", "unauthorizedTTL": "30s", "subjectAccessReviewVersion": "v1",
        "failurePolicy": "Deny", "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": str(folder / "w")},
        **more,
    }  # fmt: skip


def test_the_file_names_authorizers_in_order(tmp_path: Path) -> None:
    made = parse(
        {"type": "Webhook", "name": "w", "webhook": webhook(tmp_path)},
        {"type": "RBAC", "name": "rbac"},
    )
    assert [one.mode for one in made] == ["Webhook", "RBAC"]
    assert made[0].webhook == WebhookSettings(
        name="w", target=Target(url="https://w"), timeout_s=3.0, denies_on_failure=True
    )


def test_all_faults_of_the_file_are_told(tmp_path: Path) -> None:
    wrong = webhook(tmp_path, timeout="31s", failurePolicy="Fail", matchConditions=[{"expression": " "}])
    wrong["connectionInfo"] = {"type": "KubeConfigFile", "kubeConfigFile": "relative"}
    with pytest.raises(ConfigError) as caught:
        parse(
            {"type": "Webhook", "name": "w", "webhook": wrong},
            {"type": "RBAC", "name": "w"},
            {"type": "RBAC", "name": "again"},
            {"type": "Other", "name": "x"},
            needed=("Node",),
        )
    assert caught.value.faults == [
        'authorizers[0].webhook.timeout: Invalid value: "31s": must be > 0s and <= 30s',
        'authorizers[0].webhook.failurePolicy: Unsupported value: "Fail": supported values: "NoOpinion", "Deny"',
        "authorizers[0].webhook.matchConditionSubjectAccessReviewVersion: Required value: required if match "
        "conditions are specified",
        'authorizers[0].webhook.connectionInfo.kubeConfigFile: Invalid value: "relative": must be an absolute path',
        "authorizers[0].webhook.matchConditions[0].expression: Required value",
        'authorizers[1].name: Duplicate value: "w"',
        'authorizers[2].type: Duplicate value: "RBAC"',
        'authorizers[3].type: Unsupported value: "Other": supported values: "ABAC", "AlwaysAllow", "AlwaysDeny", '
        '"Node", "RBAC", "Webhook"',
        'authorizers: Invalid value: "": the types Node cannot be removed while the server runs',
    ]


def test_conditions_say_what_a_webhook_is_asked(tmp_path: Path) -> None:
    conditions = [
        {"expression": "has(request.resourceAttributes)"},
        {"expression": "request.resourceAttributes.namespace == 'ns' && 'dev' in request.groups"},
    ]
    more = {"matchConditions": conditions, "matchConditionSubjectAccessReviewVersion": "v1"}
    settings = parse({"type": "Webhook", "name": "w", "webhook": webhook(tmp_path, **more)})[0].webhook
    assert settings is not None
    webhooks = Webhooks({"allowed": True})
    one = WebhookAuthorizer(settings, webhooks)
    assert ask(one).allowed
    assert ask(one, RequestInfo("get", "", True, "", "v1", "pods", "", "other", "a")) == Decision(False)
    assert ask(one, RequestInfo("get", "/healthz")) == Decision(False)
    assert ask(one, RequestInfo("get", "", True, "", "v1", "nodes")) == Decision(False)
    assert len(webhooks.asked) == 1
    faulty = webhook(tmp_path, **{**more, "matchConditions": [{"expression": "request.nonsense == ''"}]})
    with pytest.raises(ConfigError, match="undefined field 'nonsense'"):
        parse({"type": "Webhook", "name": "w", "webhook": faulty})


def test_questions_to_webhooks_are_counted_by_how_they_went_and_decisions_by_the_names_in_the_file() -> None:
    registry = CollectorRegistry()
    metrics = AuthorizationMetrics(registry)
    conditions = (("x", lambda request: request["user"] == "alice"),)
    settings = WebhookSettings(name="w", target=Target(url="https://w"), conditions=conditions)
    webhooks = Webhooks({"allowed": False}, CallError("gone"), {"allowed": True})
    hook = WebhookAuthorizer(settings, webhooks, metrics)
    everyone = Authorization([hook, AlwaysAllow()], metrics)
    everyone.set_authorizers([hook, AlwaysAllow()], ["w", "last-resort"])

    async def main() -> None:
        for name, user in (("a", ALICE), ("b", ALICE), ("c", ALICE), ("d", UserInfo("bob"))):
            info = RequestInfo("get", "", True, "", "v1", "pods", "", "ns", name)
            assert (await everyone.authorize(user, info)).allowed

    asyncio.run(main())
    text = generate_latest(registry).decode()
    for line in (
        'apiserver_authorization_webhook_evaluations_total{name="w",result="success"} 2.0',
        'apiserver_authorization_webhook_evaluations_total{name="w",result="error"} 1.0',
        'apiserver_authorization_webhook_evaluations_fail_open_total{name="w",result="error"} 1.0',
        'apiserver_authorization_webhook_duration_seconds_count{name="w",result="success"} 2.0',
        'apiserver_authorization_match_condition_evaluation_exclusions_total{name="w",type="Webhook"} 1.0',
        'apiserver_authorization_match_condition_evaluation_seconds_count{name="w",type="Webhook"} 4.0',
        'apiserver_authorization_decisions_total{decision="allowed",name="w",type="Webhook"} 1.0',
        'apiserver_authorization_decisions_total{decision="allowed",name="last-resort",type="AlwaysAllow"} 3.0',
    ):
        assert line in text, line
