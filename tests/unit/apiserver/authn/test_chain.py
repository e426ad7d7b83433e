"""Who a request is found to be from."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from multidict import CIMultiDict

from kubepy.api.errors import Unauthorized
from kubepy.apiserver.authn.chain import Authenticator, Tokens
from kubepy.apiserver.authn.client_certificate import ClientCertificates
from kubepy.apiserver.authn.request_header import HeaderNames, RequestHeader
from kubepy.apiserver.authn.service_account import ServiceAccountTokens
from kubepy.apiserver.authn.signing import Verifier
from kubepy.apiserver.authn.token_file import TokenFile, parse_token_file
from kubepy.apiserver.authn.user import UserInfo
from kubepy.lib import pki
from kubepy.lib.http import Request
from tests.unit.apiserver.conftest import Objects

CA, PROXY_CA = pki.new_ca("kubernetes"), pki.new_ca("front-proxy-ca")
TOKENS = 's3cret,alice,17,"dev,ops"\nplain,bob,18\n'


def der_of(identity: pki.Identity) -> bytes:
    return identity.certificate.public_bytes(Encoding.DER)


def authenticator(*, anonymous: bool = True) -> Authenticator:
    return Authenticator(
        certificates=ClientCertificates([CA.certificate]),
        request_header=RequestHeader([PROXY_CA.certificate], ["front-proxy-client"], HeaderNames()),
        tokens=Tokens([TokenFile(parse_token_file(TOKENS))]),
        anonymous=anonymous,
    )


def find(request: Request, *, anonymous: bool = True) -> UserInfo:
    return asyncio.run(authenticator(anonymous=anonymous).authenticate(request))


def request(headers: dict[str, str] | None = None, certificate: pki.Identity | None = None) -> Request:
    der = der_of(certificate) if certificate else None
    return Request("GET", "/api", headers=CIMultiDict(headers or {}), peer_certificate=der)


def test_a_certificate_of_the_cluster_names_user_and_groups() -> None:
    user = find(request(certificate=pki.issue(CA, "admin", organizations=["system:masters"])))
    assert (user.name, user.groups) == ("admin", ("system:masters", "system:authenticated"))
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")


@pytest.mark.parametrize(
    "leaf", [pki.issue(PROXY_CA, "admin"), pki.issue(CA, "admin", client=False, server=True)], ids=["other", "server"]
)
def test_a_certificate_that_makes_no_user_is_not_anonymous(leaf: pki.Identity) -> None:
    with pytest.raises(Unauthorized):
        find(request(certificate=leaf))
    assert find(request({"Authorization": "Bearer s3cret"}, leaf)).name == "alice"


def test_an_expired_certificate_is_refused() -> None:
    leaf = pki.issue(CA, "admin", days=1, now=datetime.now(UTC) - timedelta(days=3))
    with pytest.raises(Unauthorized, match="Unauthorized"):
        find(request(certificate=leaf))


def test_a_listed_token_names_its_user() -> None:
    user = find(request({"Authorization": "Bearer s3cret"}))
    assert user == UserInfo("alice", "17", ("dev", "ops", "system:authenticated"))


@pytest.mark.parametrize("header", ["Bearer wrong", "bearer wrong s3cret"])
def test_a_token_that_nobody_knows_is_not_anonymous(header: str) -> None:
    with pytest.raises(Unauthorized):
        find(request({"Authorization": header}))


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer  s3cret"])
def test_what_is_no_token_is_not_looked_at(header: str) -> None:
    shown = request({"Authorization": header})
    assert find(shown).name == "system:anonymous"
    assert ("extra space before the bearer token" in str(shown.context)) == ("  " in header)


def test_a_token_that_is_no_text_is_refused_and_no_fault_of_the_server(objects: Objects) -> None:
    """As the parser of headers gives bytes that are not UTF-8."""
    claims = base64.urlsafe_b64encode(b'{"iss": "kubernetes/serviceaccount"}').decode().rstrip("=")
    own = ServiceAccountTokens(Verifier([pki.new_key().public_key()]), (), (), objects)
    shown = request({"Authorization": f"Bearer \udcff.{claims}.x"})
    with pytest.raises(Unauthorized):
        asyncio.run(Authenticator(tokens=Tokens([own])).authenticate(shown))


def token_protocol(token: bytes) -> str:
    return "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(token).decode().rstrip("=")


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


def test_a_websocket_brings_its_token_in_the_protocol() -> None:
    shown = {"Sec-WebSocket-Protocol": f"v5.channel.k8s.io, {token_protocol(b's3cret')}"}
    assert find(request({**UPGRADE, **shown})).name == "alice"
    assert find(request({**UPGRADE, **shown, "Authorization": "Basic YTpi"})).name == "alice"
    assert find(request(shown)).name == "system:anonymous"


@pytest.mark.parametrize(
    "protocols",
    [
        token_protocol(b"s3cret"),
        f"v5.channel.k8s.io, {token_protocol(b's3cret')}, {token_protocol(b's3cret')}",
        f"v5.channel.k8s.io, {token_protocol(b's3cret')}==",
        f"v5.channel.k8s.io, {token_protocol(bytes((255,)))}",
    ],
)
def test_a_protocol_that_holds_no_good_token_is_refused(protocols: str) -> None:
    with pytest.raises(Unauthorized):
        find(request({**UPGRADE, "Sec-WebSocket-Protocol": protocols}))


def test_nothing_shown_is_anonymous_unless_that_is_off() -> None:
    assert find(request()) == UserInfo("system:anonymous", groups=("system:unauthenticated",))
    with pytest.raises(Unauthorized):
        find(request(), anonymous=False)


def test_a_trusted_proxy_names_the_user_in_headers() -> None:
    headers = CIMultiDict({"X-Remote-User": "carol", "X-Remote-Extra-Scopes%2Fread": "a"})
    headers.add("X-Remote-Group", "g1")
    headers.add("X-Remote-Group", "g2")
    shown = Request("GET", "/", headers=headers, peer_certificate=der_of(pki.issue(PROXY_CA, "front-proxy-client")))
    user = find(shown)
    assert (user.name, user.groups) == ("carol", ("g1", "g2", "system:authenticated"))
    assert user.extra == {"scopes/read": ("a",)}


@pytest.mark.parametrize("certificate", [None, pki.issue(PROXY_CA, "stranger"), pki.issue(CA, "front-proxy-client")])
def test_headers_of_anyone_else_mean_nothing(certificate: pki.Identity | None) -> None:
    shown = request({"X-Remote-User": "root"}, certificate)
    try:
        assert find(shown).name in ("system:anonymous", "front-proxy-client")
    except Unauthorized:
        assert certificate is not None


def test_a_caller_in_the_same_process_names_itself() -> None:
    direct = request()
    direct.context["user"] = UserInfo("system:kube-scheduler")
    assert find(direct).name == "system:kube-scheduler"


def test_a_token_file_with_a_short_line_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2: token file must have at least 3 columns"):
        parse_token_file("a,b,c\nd,e\n")
