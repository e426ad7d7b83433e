"""Secrets of service-account tokens are filled, believed, and gone with their service account."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kubepy.api import resources
from kubepy.api.errors import NotFound
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.securing import secure
from kubepy.controllers.controller import Context, Informers
from kubepy.controllers.tokens import TYPE, TokensController
from kubepy.lib import pki, tasks

ACCOUNTS, SECRETS = resources.named("serviceaccounts"), resources.named("secrets")
Object = dict[str, Any]
KEY, CA = pki.new_key(), pki.new_ca("ca")


def secret(name: str, account: str = "robot", **annotations: str) -> Object:
    meta = {"name": name, "namespace": "default"}
    meta["annotations"] = {"kubernetes.io/service-account.name": account, **annotations}  # type: ignore[assignment]
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": TYPE}


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    while not holds(found := await ask()):
        await asyncio.sleep(0.01)
    return found


def test_a_secret_is_filled_and_its_token_believed(tmp_path: Path) -> None:
    async def run() -> None:
        (tmp_path / "sa.key").write_bytes(pki.key_pem(KEY))
        (tmp_path / "ca.crt").write_bytes(CA.certificate_pem)
        config = replace(
            ApiServerConfig(),
            storage_backend="embedded",
            service_account_key_file=(str(tmp_path / "sa.key"),),
            service_account_issuer=("https://issuer",),
        )
        async with asyncio.timeout(20), in_process(config=config, secure=secure) as server:
            client, informers, scope = server.client, Informers(server.client), tasks.Scope()
            settings = {
                "service-account-private-key-file": str(tmp_path / "sa.key"),
                "root-ca-file": str(tmp_path / "ca.crt"),
            }
            controller = TokensController(Context(client=client, informers=informers, settings=settings))
            scope.start(informers.run(), name="informers")
            scope.start(controller.run(), name="controller")
            meta = {"name": "robot", "namespace": "default"}
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
            await client.create(ACCOUNTS, account)

            async def found(name: str = "token") -> Object:
                try:
                    return await client.get(SECRETS, name, "default")
                except NotFound:
                    return {}

            await client.create(SECRETS, secret("token"))
            filled = await until(found, lambda one: bool(one.get("data")))
            data = {key: base64.b64decode(value) for key, value in filled["data"].items()}
            assert (data["namespace"], data["ca.crt"]) == (b"default", CA.certificate_pem)
            own = (await client.get(ACCOUNTS, "robot", "default"))["metadata"]["uid"]
            assert filled["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == own
            review = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": {"token": data["token"].decode()},
            }
            told = await client.create(resources.named("tokenreviews", "authentication.k8s.io"), review)
            assert told["status"]["user"]["username"] == "system:serviceaccount:default:robot"
            await controller.sync("default/token")
            assert await found() == filled
            for name, more in (("other", {"account": "nobody"}), ("old", {"kubernetes.io/service-account.uid": "x"})):
                await client.create(SECRETS, secret(name, **more))
                await until(lambda name=name: found(name), lambda one: not one)  # type: ignore[misc]
            await client.delete(ACCOUNTS, "robot", "default")
            await until(found, lambda one: not one)
            await scope.close()

    asyncio.run(run())
