"""Service-account and bootstrap tokens against the objects that back them."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from kubepy.api import resources
from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.bootstrap_token import BootstrapTokens
from kubepy.apiserver.authn.metrics import AuthenticationMetrics
from kubepy.apiserver.authn.service_account import ServiceAccountTokens
from kubepy.apiserver.authn.signing import Verifier, discovery_document, jwks_document
from kubepy.lib import pki
from kubepy.lib.jwt_keys import Signer

ISSUER, API = "https://kubernetes.default.svc.cluster.local", "https://kubernetes.default.svc.cluster.local"
KEY, OTHER_KEY = pki.new_key(), pki.new_key(rsa_bits=2048)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return None


def meta(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", **({"namespace": namespace} if namespace else {}), **more}}


def account(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", **meta("robot", **more)}


def pod(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", **meta("web", **more)}


def claims(**changes: Any) -> dict[str, Any]:
    private = {
        "namespace": "default",
        "serviceaccount": {"name": "robot", "uid": "uid-robot"},
        "pod": {"name": "web", "uid": "uid-web"},
        "node": {"name": "n1", "uid": "uid-n1"},
    }
    times = {"exp": NOW.timestamp() + 3600, "nbf": NOW.timestamp(), "iat": NOW.timestamp()}
    fixed = {"iss": ISSUER, "aud": [API], "sub": "system:serviceaccount:default:robot", "jti": "j1"}
    return {**fixed, **times, "kubernetes.io": private, **changes}


def authenticate(objects: Any, token: str, audiences: tuple[str, ...] = (API,)) -> Any:
    verifier = Verifier([KEY.public_key(), OTHER_KEY.public_key()])
    return ServiceAccountTokens(verifier, [ISSUER], [API], objects, FixedClock()).authenticate_token(token, audiences)


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_a_bound_token_is_its_service_account(objects: Any, key: pki.PrivateKey) -> None:
    found = authenticate(objects.put(account(), pod()), Signer(key).sign(claims()))
    assert found.user.name == "system:serviceaccount:default:robot"
    assert found.user.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
    assert found.user.extra["authentication.kubernetes.io/pod-name"] == ("web",)
    assert found.user.extra["authentication.kubernetes.io/node-name"] == ("n1",)
    assert found.user.extra["authentication.kubernetes.io/credential-id"] == ("JTI=j1",)
    assert found.audiences == (API,)


def test_a_token_dies_with_its_pod(objects: Any) -> None:
    with pytest.raises(Refused, match="invalidated: pod is gone"):
        authenticate(objects.put(account()), Signer(KEY).sign(claims()))


def test_a_pod_of_the_same_name_revives_no_token(objects: Any) -> None:
    with pytest.raises(Refused, match="pod UID"):
        authenticate(objects.put(account(), pod(uid="another")), Signer(KEY).sign(claims()))


def test_a_pod_under_deletion_backs_its_token_for_a_minute_more(objects: Any) -> None:
    objects.put(account(), pod(deletionTimestamp="2026-03-01T11:59:30Z"))
    assert authenticate(objects, Signer(KEY).sign(claims()))
    objects.put(pod(deletionTimestamp="2026-03-01T11:58:30Z"))
    with pytest.raises(Refused, match="has been deleted"):
        authenticate(objects, Signer(KEY).sign(claims()))


def test_a_token_bound_to_a_node_alone_dies_with_the_node(objects: Any) -> None:
    private = {**claims()["kubernetes.io"]}
    del private["pod"]
    token = Signer(KEY).sign(claims(**{"kubernetes.io": private}))
    with pytest.raises(Refused, match="node is gone"):
        authenticate(objects.put(account()), token)
    objects.put({"apiVersion": "v1", "kind": "Node", **meta("n1", "")})
    assert authenticate(objects, token)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": (NOW - timedelta(minutes=2)).timestamp()}, "has expired"),
        ({"nbf": (NOW + timedelta(minutes=2)).timestamp()}, "not valid yet"),
        ({"iat": (NOW + timedelta(minutes=2)).timestamp()}, "is issued in the future"),
        ({"sub": "system:serviceaccount:kube-system:robot"}, "subject"),
        ({"aud": ["vault"]}, "audiences"),
    ],
)
def test_claims_that_do_not_fit_are_refused(objects: Any, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        authenticate(objects.put(account(), pod()), Signer(KEY).sign(claims(**changes)))


def test_a_token_of_a_strange_key_is_refused(objects: Any) -> None:
    with pytest.raises(Refused, match="signature"):
        authenticate(objects.put(account(), pod()), Signer(pki.new_key()).sign(claims()))


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", Signer(KEY).sign(claims(iss="https://elsewhere"))])
def test_tokens_of_others_are_left_to_others(objects: Any, token: str) -> None:
    assert authenticate(objects, token) is None


def legacy_claims() -> dict[str, Any]:
    prefix = "kubernetes.io/serviceaccount/"
    parts = {"namespace": "default", "secret.name": "robot-token", "service-account.name": "robot"}
    private = {prefix + key: value for key, value in (parts | {"service-account.uid": "uid-robot"}).items()}
    return {"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:default:robot", **private}


def test_a_legacy_token_lives_as_long_as_its_secret(objects: Any) -> None:
    token = Signer(KEY).sign(legacy_claims())
    with pytest.raises(Refused, match="Token has been invalidated"):
        authenticate(objects.put(account()), token)
    data = {"token": base64.b64encode(token.encode()).decode()}
    objects.put({"apiVersion": "v1", "kind": "Secret", **meta("robot-token"), "data": data})
    found = authenticate(objects, token)
    assert found.user.name == "system:serviceaccount:default:robot"
    assert found.annotations["authentication.k8s.io/legacy-token-manual-secret"] == "robot-token"
    marked = meta("robot-token")
    marked["metadata"]["labels"] = {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}
    objects.put({"apiVersion": "v1", "kind": "Secret", **marked, "data": data})
    with pytest.raises(Refused, match="has been marked invalid"):
        authenticate(objects, token)
    objects.put({"apiVersion": "v1", "kind": "Secret", **meta("robot-token"), "data": data})
    objects.remove(resources.named("serviceaccounts"), "robot", "default")
    with pytest.raises(Refused, match="ServiceAccount default/robot has been deleted"):
        authenticate(objects, token)


def test_the_published_keys_verify_what_is_signed() -> None:
    verifier = Verifier([KEY.public_key(), OTHER_KEY.public_key()])
    keys = jwt.PyJWKSet.from_dict(jwks_document(verifier.keys))
    for key in (KEY, OTHER_KEY):
        token = Signer(key).sign(claims())
        jwk = keys[jwt.get_unverified_header(token)["kid"]]
        assert jwt.decode(
            token, jwk, audience=API, options={"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        )
    document = discovery_document(ISSUER, f"{ISSUER}/openid/v1/jwks", verifier.keys)
    assert document["id_token_signing_alg_values_supported"] == ["ES256", "RS256"]


def bootstrap_secret(**changes: str) -> dict[str, Any]:
    values = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        **changes,
    }
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token"}
    return {**kind, **meta("bootstrap-token-abcdef", "kube-system"), "data": data}


def test_a_bootstrap_token_is_a_bootstrapper(objects: Any) -> None:
    found = BootstrapTokens(objects.put(bootstrap_secret()), FixedClock()).authenticate_token(
        "abcdef.0123456789abcdef", ()
    )
    assert found is not None
    assert found.user.name == "system:bootstrap:abcdef"
    assert found.user.groups == ("system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"token-secret": "fedcba9876543210"}, "does not match"),
        ({"expiration": "2026-03-01T11:59:59Z"}, "expired"),
        ({"expiration": "tomorrow"}, "expired"),
        ({"usage-bootstrap-authentication": "false"}, "not meant"),
        ({"auth-extra-groups": "system:masters"}, "may not"),
    ],
)
def test_a_bootstrap_token_that_is_not_good_is_refused(objects: Any, changes: dict[str, str], why: str) -> None:
    tokens = BootstrapTokens(objects.put(bootstrap_secret(**changes)), FixedClock())
    with pytest.raises(Refused, match=why):
        tokens.authenticate_token("abcdef.0123456789abcdef", ())


@pytest.mark.parametrize("token", ["abcdef", "ABCDEF.0123456789abcdef", "zzzzzz.0123456789abcdef"])
def test_what_is_no_bootstrap_token_is_left_to_others(objects: Any, token: str) -> None:
    assert BootstrapTokens(objects, FixedClock()).authenticate_token(token, ()) is None


def test_the_use_of_a_token_that_was_made_unasked_is_told_and_noted(objects: Any) -> None:
    """To the one who uses it, to the audit log and to whoever clears away tokens that nobody uses."""
    token = Signer(KEY).sign(legacy_claims())
    data = {"token": base64.b64encode(token.encode()).decode()}
    objects.put({**account(), "secrets": [{"name": "robot-token"}]})
    objects.put({"apiVersion": "v1", "kind": "Secret", **meta("robot-token"), "data": data})
    used: list[tuple[str, str]] = []
    metrics = AuthenticationMetrics()
    own = ServiceAccountTokens(
        Verifier([KEY.public_key()]),
        [ISSUER],
        [ISSUER],
        objects,
        FixedClock(),
        used=lambda secret, today: used.append((secret["metadata"]["name"], today)),
        metrics=metrics,
    )
    found = own.authenticate_token(token, (ISSUER,))
    assert found is not None
    assert found.annotations["authentication.k8s.io/legacy-token-autogenerated-secret"] == "robot-token"
    assert found.warnings[0].startswith("Use tokens from the TokenRequest API")
    assert used == [("robot-token", "2026-03-01")]
    assert metrics.tokens == {"legacy_tokens": 1, "legacy_auto_token_uses": 1}


def test_a_token_that_should_have_been_renewed_is_told_of(objects: Any) -> None:
    late = claims()
    late["kubernetes.io"]["warnafter"] = late["iat"] - 10
    found = authenticate(objects.put(account(), pod()), Signer(KEY).sign(late))
    assert found.annotations["authentication.k8s.io/stale-token"] == (
        "subject: system:serviceaccount:default:robot, seconds after warning threshold: 10"
    )
