"""An OpenID provider as one would run it: HTTPS, a discovery document, keys that rotate, and tokens that it signs."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web

from kubepy.lib import pki
from kubepy.lib.jwt_keys import verification_key
from kubepy.lib.tls import server_context

CLIENT, ACCESS_TOKEN = "kubernetes", "let-me-in"


class OpenIdProvider:
    """`keys` are those that it publishes, the first one signs; `fetches` counts how often they were asked for."""

    def __init__(self, authority: pki.Identity, port: int) -> None:
        self.authority = authority
        self.url = f"https://127.0.0.1:{port}"
        self.keys = [pki.new_key(rsa_bits=2048)]
        self.fetches = 0

    def rotate(self) -> None:
        """Signs with a new key; the old one is withdrawn."""
        self.keys = [pki.new_key()]

    def token(self, **claims: Any) -> str:
        """A token of now, for Kubernetes."""
        now = int(time.time())
        payload = {"iss": self.url, "aud": CLIENT, "sub": "alice", "iat": now, "exp": now + 600, **claims}
        key: Any = self.keys[0]
        public = verification_key(self.keys[0].public_key())
        return jwt.encode(payload, key, algorithm=public.algorithm, headers={"kid": public.key_id})

    async def discovery(self, request: web.Request) -> web.Response:
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def groups(self, request: web.Request) -> web.Response:
        """Groups of those whose tokens do not carry them, for who shows the access token."""
        if request.headers.get("Authorization") != f"Bearer {ACCESS_TOKEN}":
            return web.Response(status=403)
        return web.Response(text=self.token(roles=["far", "away"], **dict(request.query)))

    async def jwks(self, request: web.Request) -> web.Response:
        self.fetches += 1
        return web.json_response({"keys": [verification_key(key.public_key()).to_jwk() for key in self.keys]})


@asynccontextmanager
async def openid_provider() -> AsyncIterator[OpenIdProvider]:
    """One on a free port of this machine."""
    authority = pki.new_ca("openid-ca")
    leaf = pki.issue(authority, "openid", ips=("127.0.0.1",), client=False, server=True)
    listening = socket.create_server(("127.0.0.1", 0))
    provider = OpenIdProvider(authority, listening.getsockname()[1])
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.discovery)
    app.router.add_get("/groups", provider.groups)
    app.router.add_get("/keys", provider.jwks)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening, ssl_context=server_context(leaf.certificate_pem, leaf.key_pem)).start()
    try:
        yield provider
    finally:
        await runner.cleanup()
