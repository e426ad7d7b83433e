"""New service-account tokens, and reviews of tokens."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from kubepy.api.errors import BadRequest, Conflict, Invalid, NotFound
from kubepy.apiserver.admission.attributes import ANNOTATIONS
from kubepy.apiserver.authn.chain import Tokens
from kubepy.apiserver.authn.reviews import review_self, review_token
from kubepy.apiserver.authn.service_account import ServiceAccountTokens
from kubepy.apiserver.authn.signing import Verifier
from kubepy.apiserver.authn.token_file import TokenFile
from kubepy.apiserver.authn.token_request import TokenIssuer
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.http.negotiation import PLAIN
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.registry.context import Context
from kubepy.lib import pki
from kubepy.lib.http import Request
from kubepy.lib.jwt_keys import Signer

Object = dict[str, Any]
ISSUER = "https://issuer"
KEY = pki.new_key()
NOW = datetime.now(UTC).replace(microsecond=0)


def thing(kind: str, name: str, **more: Any) -> Object:
    metadata = {"name": name, "uid": f"uid-{name}", **({} if kind == "Node" else {"namespace": "default"})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


@pytest.fixture
def cluster(objects: Any) -> Any:
    spec = {"serviceAccountName": "robot", "nodeName": "n1"}
    return objects.put(
        thing("ServiceAccount", "robot"),
        thing("ServiceAccount", "other"),
        thing("Pod", "web", spec=spec),
        thing("Secret", "s"),
        thing("Node", "n1"),
    )


def asking(account: str = "robot") -> Context:
    info = RequestInfo("create", "", True, "", "v1", "serviceaccounts", "token", "default", account)
    return Context(Request("POST", ""), info, {}, UserInfo("alice"), PLAIN, NOW)


async def admitted() -> None:
    """Nobody is against it."""


def issue(
    cluster: Any,
    account: str = "robot",
    *,
    longest_s: int = 0,
    extends: bool = True,
    ctx: Context | None = None,
    metadata: Object | None = None,
    **spec: Any,
) -> Object:
    issuer = TokenIssuer(Signer(KEY), ISSUER, (ISSUER, "also"), cluster, longest_s=longest_s, extends=extends)
    request = {"metadata": metadata or {}, "spec": spec}
    return asyncio.run(issuer.request(request, ctx or asking(account), admitted))


def claims_of(request: Object) -> Object:
    key: Any = KEY.public_key()
    claims: Object = jwt.decode(request["status"]["token"], key, algorithms=["ES256"], options={"verify_aud": False})
    return claims


def bound(kind: str, name: str, **more: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "name": name, **more}


def test_a_token_lasts_an_hour_and_is_for_this_server_unless_asked_otherwise(cluster: Any) -> None:
    made = issue(cluster)
    claims = claims_of(made)
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == (ISSUER, [ISSUER, "also"], 3600)
    assert claims["sub"] == "system:serviceaccount:default:robot"
    assert claims["kubernetes.io"] == {
        "namespace": "default",
        "serviceaccount": {"name": "robot", "uid": "uid-robot"},
    }
    assert made["spec"]["audiences"] == [ISSUER, "also"]
    assert made["metadata"]["uid"] == "uid-robot"
    assert claims_of(issue(cluster, audiences=["vault"]))["aud"] == ["vault"]


def test_a_token_of_a_pod_names_the_pod_and_its_node(cluster: Any) -> None:
    private = claims_of(issue(cluster, boundObjectRef=bound("Pod", "web", uid="uid-web")))["kubernetes.io"]
    assert private["pod"] == {"name": "web", "uid": "uid-web"}
    assert private["node"] == {"name": "n1", "uid": "uid-n1"}


@pytest.mark.parametrize("kind", ["Secret", "Node"])
def test_tokens_are_bound_to_secrets_and_nodes_too(cluster: Any, kind: str) -> None:
    name = {"Secret": "s", "Node": "n1"}[kind]
    private = claims_of(issue(cluster, boundObjectRef=bound(kind, name)))["kubernetes.io"]
    assert private[kind.lower()]["uid"] == f"uid-{name}"


@pytest.mark.parametrize(
    ("account", "ref", "error", "why"),
    [
        ("gone", None, NotFound, 'serviceaccounts "gone" not found'),
        ("robot", bound("Pod", "gone"), NotFound, 'pods "gone" not found'),
        (
            "other",
            bound("Pod", "web"),
            BadRequest,
            'cannot bind token for serviceaccount "other" to pod running with diff',
        ),
        ("robot", bound("Pod", "web", uid="x"), Conflict, "does not match the UID in record"),
        ("robot", bound("ConfigMap", "x"), BadRequest, "cannot bind token to object of type /v1, Kind=ConfigMap"),
    ],
)
def test_what_a_token_is_bound_to_must_fit(
    cluster: Any, account: str, ref: Object | None, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        issue(cluster, account, boundObjectRef=ref)


def test_a_token_lasts_ten_minutes_at_least_and_no_longer_than_the_server_says(cluster: Any) -> None:
    with pytest.raises(Invalid, match="may not specify a duration less than 10 minutes"):
        issue(cluster, expirationSeconds=599)
    ctx = asking()
    claims = claims_of(issue(cluster, ctx=ctx, longest_s=3600, expirationSeconds=86400))
    assert claims["exp"] - claims["iat"] == 3600
    assert ctx.warnings == ["requested expiration of 86400 seconds shortened to 3600 seconds"]


@pytest.mark.parametrize(
    ("metadata", "error", "why"),
    [
        ({"name": "x"}, Invalid, 'metadata.name: Invalid value: "x": must match the service account name if specified'),
        ({"namespace": "x"}, Invalid, "must match the service account namespace if specified"),
        ({"uid": "x"}, Conflict, r"\(x\) does not match the UID of the service account \(uid-robot\)"),
    ],
)
def test_what_a_request_says_of_the_account_must_be_so(
    cluster: Any, metadata: Object, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        issue(cluster, metadata=metadata)


def test_the_audit_log_is_told_which_token_was_issued(cluster: Any) -> None:
    ctx = asking()
    made = issue(cluster, ctx=ctx)
    expected = {"authentication.kubernetes.io/issued-credential-id": f"JTI={claims_of(made)['jti']}"}
    assert ctx.request.context[ANNOTATIONS] == expected


def test_a_mounted_token_outlives_clients_that_never_read_it_again(cluster: Any) -> None:
    spec: Object = {"expirationSeconds": 3607, "boundObjectRef": bound("Pod", "web")}
    made = issue(cluster, **spec)
    claims = claims_of(made)
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
    assert datetime.fromisoformat(made["status"]["expirationTimestamp"]).timestamp() == claims["iat"] + 3607
    for part, lifetime_s in ((ISSUER, 365 * 24 * 3600), ("vault", 3607)):
        claims = claims_of(issue(cluster, audiences=[part], **spec))
        assert claims["exp"] - claims["iat"] == lifetime_s
    claims = claims_of(issue(cluster, extends=False, **spec))
    assert claims["exp"] - claims["iat"] == 3607


def tokens(cluster: Any) -> Tokens:
    verifier = Verifier([KEY.public_key()])
    listed = TokenFile({"static": UserInfo("alice")})
    return Tokens([listed, ServiceAccountTokens(verifier, [ISSUER], [ISSUER], cluster)])


def reviewed(cluster: Any, **spec: Any) -> Object:
    status: Object = asyncio.run(review_token(tokens(cluster), (ISSUER,), {"spec": spec}))["status"]
    return status


def test_a_token_review_tells_user_and_audiences(cluster: Any) -> None:
    token = issue(cluster, audiences=["vault", ISSUER])["status"]["token"]
    status = reviewed(cluster, token=token, audiences=["vault", "else"])
    assert status["authenticated"] is True
    assert status["audiences"] == ["vault"]
    assert status["user"]["username"] == "system:serviceaccount:default:robot"
    assert "system:authenticated" in status["user"]["groups"]


def test_a_token_review_of_a_bad_token_says_so(cluster: Any) -> None:
    assert reviewed(cluster, token="nonsense") == {"user": {}, "error": "invalid bearer token"}
    token = issue(cluster, audiences=["vault"])["status"]["token"]
    assert "is invalid for the target audiences" in reviewed(cluster, token=token)["error"]
    with pytest.raises(BadRequest, match="token is required"):
        reviewed(cluster)


def test_a_token_that_is_bound_to_no_audience_is_for_this_server(cluster: Any) -> None:
    assert reviewed(cluster, token="static")["audiences"] == [ISSUER]
    assert "unable to validate audience" in reviewed(cluster, token="static", audiences=["vault"])["error"]


def test_a_self_review_tells_who_one_is() -> None:
    user = UserInfo("alice", groups=("dev",), extra={"a": ("b",)})
    info = review_self(user, {"kind": "SelfSubjectReview"})["status"]["userInfo"]
    assert info == {"username": "alice", "groups": ["dev"], "extra": {"a": ["b"]}}
