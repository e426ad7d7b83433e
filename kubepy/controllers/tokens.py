"""Fills Secrets of type service-account-token, and takes them away with their service account.

Such a token has no end but its Secret's: new clusters use the TokenRequest API, but what was made by hand goes on.
Source: pkg/controller/serviceaccount/tokens_controller.go, pkg/serviceaccount/legacy.go.
"""

import base64
from collections.abc import Mapping
from pathlib import Path

from kubepy.api import errors, resources
from kubepy.api.meta import Object, key_of
from kubepy.controllers.controller import Context, Controller
from kubepy.lib import log, pki
from kubepy.lib.jwt_keys import Claims, Signer

_ACCOUNTS, _SECRETS = resources.named("serviceaccounts"), resources.named("secrets")
TYPE = "kubernetes.io/service-account-token"
_NAME, _UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
_CLAIM = "kubernetes.io/serviceaccount/"
_log = log.get(__name__)


class TokensController(Controller):
    """Works Secrets; the key is what the flag `--service-account-private-key-file` names."""

    name = "serviceaccount-token"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        key = Path(str(context.settings["service-account-private-key-file"])).read_bytes()
        self._signer = Signer(pki.load_key(key))
        path = str(context.settings["root-ca-file"])
        self._ca = Path(path).read_bytes() if path else b""
        self._accounts = self.watch(_ACCOUNTS)
        self._secrets = self.watch(_SECRETS)
        self.enqueue_from(self._secrets, lambda secret: [key_of(secret)] if account_of(secret) else [])
        self.enqueue_from(self._accounts, self._tokens_of)

    def _tokens_of(self, account: Object) -> list[str]:
        meta = account["metadata"]
        return [
            key_of(secret)
            for secret in self._secrets.items()
            if secret["metadata"]["namespace"] == meta["namespace"] and account_of(secret) == meta["name"]
        ]

    async def sync(self, key: str) -> None:
        secret = self._secrets.get(key)
        name = account_of(secret) if secret is not None else ""
        if secret is None or not name:
            return
        meta = secret["metadata"]
        account = self._accounts.get(f"{meta['namespace']}/{name}")
        if account is None or not is_of(secret, account):
            account = await self._live(meta["namespace"], name)
        try:
            if account is None or not is_of(secret, account):
                await self.client.delete(_SECRETS, meta["name"], meta["namespace"], uid=meta["uid"])
                _log.info("token of no service account deleted", secret=key)
            elif (filled := self._filled(secret, account)) is not None:
                await self.client.update(_SECRETS, filled)
                _log.info("token made", secret=key)
        except (errors.NotFound, errors.Conflict):
            return  # gone, or another one: its event brings us back

    async def _live(self, namespace: str, name: str) -> Object | None:
        """The account as the server knows it: nothing is deleted because of what a cache has not heard yet."""
        try:
            return await self.client.get(_ACCOUNTS, name, namespace)
        except errors.NotFound:
            return None

    def _filled(self, secret: Object, account: Object) -> Object | None:
        """The Secret with what it lacks; None if it lacks nothing."""
        data: dict[str, str] = dict(secret.get("data") or {})
        meta, own = secret["metadata"], account["metadata"]
        if self._ca:
            data["ca.crt"] = _encoded(self._ca)
        if not data.get("namespace"):
            data["namespace"] = _encoded(meta["namespace"].encode())
        if not data.get("token"):
            data["token"] = _encoded(self._signer.sign(claims_of(secret, account)).encode())
        if data == (secret.get("data") or {}):
            return None
        annotations: Mapping[str, str] = meta.get("annotations") or {}
        annotations = {**annotations, _NAME: own["name"], _UID: own["uid"]}
        return {**secret, "metadata": {**meta, "annotations": annotations}, "data": data}


def account_of(secret: Object) -> str:
    """The name of the service account that a token is for; empty for other Secrets."""
    if secret.get("type") != TYPE:
        return ""
    name: str = (secret["metadata"].get("annotations") or {}).get(_NAME, "")
    return name


def is_of(secret: Object, account: Object) -> bool:
    """Whether the token is for this account, and not for one of the same name before it."""
    wanted = (secret["metadata"].get("annotations") or {}).get(_UID)
    return not wanted or wanted == account["metadata"]["uid"]


def claims_of(secret: Object, account: Object) -> Claims:
    """What the token says."""
    meta, own = secret["metadata"], account["metadata"]
    return {
        "iss": "kubernetes/serviceaccount",
        f"{_CLAIM}namespace": own["namespace"],
        f"{_CLAIM}secret.name": meta["name"],
        f"{_CLAIM}service-account.name": own["name"],
        f"{_CLAIM}service-account.uid": own["uid"],
        "sub": f"system:serviceaccount:{own['namespace']}:{own['name']}",
    }


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()
