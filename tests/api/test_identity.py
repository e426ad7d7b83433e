"""Who callers are found to be by others than this server: OpenID providers and webhooks, over real TLS."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import uvloop
import yaml

from kubepy.apiserver.config.reloads import digest
from kubepy.lib import kubeconfig, pki
from tests.api.serving import Api, api_server
from tests.openid_provider import ACCESS_TOKEN, CLIENT, OpenIdProvider, openid_provider
from tests.webhook_server import WebhookServer, webhook_server

Object = dict[str, Any]
MYSELF = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


async def who(api: Api, token: str) -> Object | int:
    """The user that a token makes, or the status of the refusal."""
    connector = aiohttp.TCPConnector(ssl=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        async with session.post(api.url + path, json=MYSELF) as answer:
            if answer.status != 201:
                return answer.status
            user: Object = (await answer.json())["status"]["userInfo"]
            return user


async def anonymously(api: Api, path: str) -> int:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
        session.get(api.url + path) as answer,
    ):
        return answer.status


def name_of(found: Object | int) -> str:
    assert isinstance(found, dict), found
    name: str = found["username"]
    return name


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    while not holds(found := await ask()):
        await asyncio.sleep(0.05)
    return found


def with_provider(folder: Path, story: Callable[[Api, OpenIdProvider], Awaitable[None]], **flags: Any) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), openid_provider() as provider:
            (folder / "openid.crt").write_bytes(provider.authority.certificate_pem)
            settings = {"oidc_issuer_url": provider.url, "oidc_client_id": CLIENT}
            settings["oidc_ca_file"] = str(folder / "openid.crt")
            async with api_server(folder, **{**settings, **flags}) as api:
                await story(api, provider)

    uvloop.run(run())


def test_a_token_of_the_provider_names_its_user(tmp_path: Path) -> None:
    async def story(api: Api, provider: OpenIdProvider) -> None:
        found = await who(api, provider.token(roles=["dev", "ops"]))
        assert found == {
            "username": f"{provider.url}#alice",
            "groups": ["oidc:dev", "oidc:ops", "system:authenticated"],
        }
        assert name_of(await who(api, provider.token(roles="dev"))) == f"{provider.url}#alice"
        assert await who(api, provider.token(aud="other")) == 401
        assert await who(api, provider.token(exp=1)) == 401
        assert await who(api, provider.token(team="red")) == 401
        forged = jwt.encode({"iss": provider.url, "aud": CLIENT, "sub": "root"}, "s" * 32, algorithm="HS256")
        assert await who(api, forged) == 401
        assert provider.fetches == 1
        _, text = await api.call("GET", "/metrics")
        issuer = f'jwt_issuer_hash="{digest(provider.url)}"'
        head = "apiserver_authentication_jwt_authenticator_"
        assert f'{head}latency_seconds_count{{{issuer},result="success"}} 2.0' in text
        assert f'{head}latency_seconds_count{{{issuer},result="failure"}} 4.0' in text
        assert f"{head}jwks_fetch_last_key_set_info{{" in text

    required = {"team": "blue"}

    async def on_team(api: Api, provider: OpenIdProvider) -> None:
        token = provider.token
        provider.token = lambda **claims: token(**{"team": "blue", **claims})  # type: ignore[method-assign]
        await story(api, provider)

    flags = {"oidc_groups_claim": "roles", "oidc_groups_prefix": "oidc:", "oidc_required_claim": required}
    with_provider(tmp_path, on_team, **flags)


def test_groups_that_are_elsewhere_are_fetched(tmp_path: Path) -> None:
    async def story(api: Api, provider: OpenIdProvider) -> None:
        def token(query: str = "", access: str = ACCESS_TOKEN) -> str:
            place = {"endpoint": f"{provider.url}/groups{query}", "access_token": access}
            return provider.token(_claim_names={"roles": "src"}, _claim_sources={"src": place})

        found = await who(api, token())
        assert isinstance(found, dict)
        assert found["groups"] == ["far", "away", "system:authenticated"]
        assert await who(api, token(access="guessed")) == 401
        assert await who(api, token("?aud=others")) == 401

    with_provider(tmp_path, story, oidc_groups_claim="roles")


def test_keys_that_rotate_are_fetched_again(tmp_path: Path) -> None:
    async def story(api: Api, provider: OpenIdProvider) -> None:
        old = provider.token(sub="bob")
        assert name_of(await who(api, provider.token())) == "alice"
        provider.rotate()
        assert name_of(await who(api, provider.token())) == "alice"
        assert await who(api, old) == 401  # the provider has withdrawn its key
        assert provider.fetches == 3

    with_provider(tmp_path, story, oidc_username_prefix="-", oidc_signing_algs=("RS256", "ES256"))


def test_algorithms_that_are_not_asked_for_are_refused(tmp_path: Path) -> None:
    async def story(api: Api, provider: OpenIdProvider) -> None:
        provider.rotate()
        assert await who(api, provider.token()) == 401
        assert provider.fetches == 0

    with_provider(tmp_path, story)


def configuration(provider: OpenIdProvider, prefix: str, **more: Any) -> str:
    issuer = {
        "url": provider.url,
        "audiences": [CLIENT, "other"],
        "audienceMatchPolicy": "MatchAny",
        "certificateAuthority": provider.authority.certificate_pem.decode(),
    }
    username = {"claim": "sub", "prefix": prefix}
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": {"username": username}}],
        "anonymous": {"enabled": True, "conditions": [{"path": "/healthz"}]},
    }
    return yaml.safe_dump({**document, **more})


def test_the_file_of_issuers_is_read_again_when_it_changes(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "authentication.yaml"
        async with asyncio.timeout(30), openid_provider() as provider:
            path.write_text(configuration(provider, "one:"))
            async with api_server(tmp_path, authentication_config=str(path)) as api:
                token = provider.token(aud="other")
                assert name_of(await who(api, token)) == "one:alice"
                assert await anonymously(api, "/healthz") == 200
                assert await anonymously(api, "/livez") == 401
                path.write_text(configuration(provider, "two:", anonymous={"enabled": True}))
                await until(lambda: who(api, token), lambda found: name_of(found) == "two:alice")
                assert await anonymously(api, "/livez") == 200
                path.write_text("no: configuration")
                path.write_text(configuration(provider, "three:", anonymous={"enabled": False}))
                await until(lambda: who(api, token), lambda found: name_of(found) == "three:alice")
                assert await anonymously(api, "/healthz") == 401

    uvloop.run(run())


def webhook_file(folder: Path, server: WebhookServer, path: str) -> str:
    rest = kubeconfig.RestConfig(server=f"https://127.0.0.1:{server.port}{path}", ca=server.authority.certificate_pem)
    file = folder / f"{path.strip('/')}.kubeconfig"
    file.write_text(kubeconfig.render(rest))
    return str(file)


def test_a_webhook_knows_tokens(tmp_path: Path) -> None:
    def review(asked: Object) -> Object:
        token = asked["spec"]["token"]
        user = {"username": f"hook:{token}", "uid": "7", "groups": ["g"], "extra": {"k": ["v"]}}
        good = {"authenticated": True, "user": user, "audiences": asked["spec"].get("audiences")}
        bad = {"authenticated": False, "error": "never heard of it"}
        return {**asked, "spec": {}, "status": good if token.startswith("good") else bad}

    async def run() -> None:
        async with asyncio.timeout(30), webhook_server() as server:
            server.hooks["/tokens"] = review
            settings = {
                "authentication_token_webhook_config_file": webhook_file(tmp_path, server, "/tokens"),
                "authentication_token_webhook_version": "v1",
                "api_audiences": ("api",),
            }
            async with api_server(tmp_path, **settings) as api:
                assert await who(api, "good1") == {
                    "username": "hook:good1", "uid": "7", "groups": ["g", "system:authenticated"],
                    "extra": {"k": ["v"]},
                }  # fmt: skip
                assert await who(api, "bad") == 401
                assert await who(api, "bad") == 401
                assert await who(api, "good1") != 401
                assert [one["spec"] for one in server.reviews] == [
                    {"token": "good1", "audiences": ["api"]},
                    {"token": "bad", "audiences": ["api"]},
                ]
                asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "bad"}}
                _, told = await api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", asked)
                assert told["status"]["error"] == "[invalid bearer token, never heard of it]"

    uvloop.run(run())


def test_service_account_keys_rotate_while_the_server_runs(tmp_path: Path) -> None:
    async def run() -> None:
        signing, old, new = (tmp_path / name for name in ("signing.key", "old.pub", "new.pub"))
        first, second = pki.new_key(), pki.new_key()
        signing.write_bytes(pki.key_pem(first))
        old.write_bytes(pki.public_key_pem(first.public_key()))
        new.write_bytes(pki.public_key_pem(first.public_key()))
        settings = {
            "service_account_issuer": ("https://issuer",),
            "service_account_key_file": (str(old), str(new)),
            "service_account_signing_key_file": str(signing),
        }
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        ask = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        async with asyncio.timeout(30), api_server(tmp_path, **settings) as api:
            await api.call("POST", accounts, account)

            async def key_of_new() -> tuple[str, str]:
                _, made = await api.call("POST", f"{accounts}/a/token", ask)
                token = made["status"]["token"]
                return token, jwt.get_unverified_header(token)["kid"]

            async def published() -> list[str]:
                async with api.session.get(f"{api.url}/openid/v1/jwks") as answer:
                    assert answer.content_type == "application/jwk-set+json"
                    return [key["kid"] for key in json.loads(await answer.read())["keys"]]

            token, key = await key_of_new()
            assert await published() == [key]
            new.write_bytes(pki.public_key_pem(second.public_key()))
            signing.write_bytes(pki.key_pem(second))
            newer, _ = await until(key_of_new, lambda found: found[1] != key)
            assert name_of(await who(api, token)) == name_of(await who(api, newer))
            old.unlink()
            old.write_bytes(pki.public_key_pem(second.public_key()))
            await until(published, lambda found: key not in found)
            assert await who(api, token) == 401
            assert name_of(await who(api, newer)) == "system:serviceaccount:default:a"

    uvloop.run(run())


def authorizers(*webhooks: Object) -> str:
    kind = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
    rbac = {"type": "RBAC", "name": "rbac"}
    return yaml.safe_dump({**kind, "authorizers": [*webhooks, rbac]})


def test_webhooks_and_rbac_decide_in_the_order_of_the_file(tmp_path: Path) -> None:
    def review(asked: Object) -> Object:
        attributes = asked["spec"].get("resourceAttributes") or {}
        status = {"allowed": attributes.get("resource") == "pods", "denied": attributes.get("resource") == "secrets"}
        return {**asked, "status": {**status, "reason": "as the webhook says"}}

    async def run() -> None:
        path = tmp_path / "authorization.yaml"
        async with asyncio.timeout(30), webhook_server() as server:
            server.hooks["/access"] = review
            webhook = {
                "timeout": "3s", "authorizedTTL": "5m", "unauthorizedTTL": "30s", "subjectAccessReviewVersion": "v1",
                "failurePolicy": "Deny", "matchConditionSubjectAccessReviewVersion": "v1",
                "matchConditions": [{"expression": "request.user != 'carol'"}],
                "connectionInfo": {
                    "type": "KubeConfigFile", "kubeConfigFile": webhook_file(tmp_path, server, "/access"),
                },
            }  # fmt: skip
            path.write_text(authorizers({"type": "Webhook", "name": "hook", "webhook": webhook}))
            settings = {"authorization_config": str(path), "authorization_mode": ("AlwaysAllow",)}
            async with api_server(tmp_path, **settings) as api:

                async def may(user: str, resource: str) -> Object:
                    spec = {"user": user, "resourceAttributes": {"verb": "get", "resource": resource, "name": "a"}}
                    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
                    _, found = await api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
                    status: Object = found["status"]
                    return status

                assert await may("bob", "pods") == {"allowed": True, "reason": "as the webhook says"}
                assert await may("bob", "secrets") == {
                    "allowed": False,
                    "denied": True,
                    "reason": "as the webhook says",
                }
                assert await may("carol", "pods") == {"allowed": False}
                async with api.session.get(
                    f"{api.url}/api/v1/namespaces/default/secrets/a", headers={"Impersonate-User": "bob"}
                ) as answer:
                    assert (await answer.json())["message"].endswith(": as the webhook says")
                path.write_text(authorizers())
                await until(lambda: may("bob", "pods"), lambda found: not found["allowed"])

    uvloop.run(run())
