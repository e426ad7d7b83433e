"""A webhook as its author would run it: an HTTPS server of its own, with a certificate of an authority of its own."""

import base64
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from kubepy.lib import pki
from kubepy.lib.tls import server_context

Object = dict[str, Any]
Reply = Object | web.Response
Hook = Callable[[Object], Any]
"""From a review to what is answered: an object, a whole Response, or something to await that becomes one of them."""


class WebhookServer:
    """`hooks` are the answers by path; `asked` are the reviews that came, with their path and query, in order."""

    def __init__(self, authority: pki.Identity, port: int) -> None:
        self.authority = authority
        self.port = port
        self.hooks: dict[str, Hook] = {}
        self.asked: list[tuple[str, Object]] = []
        self.requests: list[web.Request] = []

    @property
    def ca_bundle(self) -> str:
        return base64.b64encode(self.authority.certificate_pem).decode()

    def client_config(self, path: str) -> Object:
        """How a webhook configuration names a path of this server."""
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.ca_bundle}

    @property
    def reviews(self) -> list[Object]:
        return [review for _, review in self.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        review = await request.json()
        self.requests.append(request)
        self.asked.append((request.path_qs, review))
        reply = self.hooks[request.path](review)
        if hasattr(reply, "__await__"):
            reply = await reply
        return reply if isinstance(reply, web.StreamResponse) else web.json_response(reply)


def admitted(review: Object, allowed: bool = True, **more: Any) -> Object:
    """The answer to an AdmissionReview."""
    return {
        "apiVersion": review["apiVersion"],
        "kind": review["kind"],
        "response": {"uid": review["request"]["uid"], "allowed": allowed, **more},
    }


def patched(review: Object, patch: str, **more: Any) -> Object:
    """The answer of a webhook that changes the object by a JSON patch."""
    return admitted(review, patchType="JSONPatch", patch=base64.b64encode(patch.encode()).decode(), **more)


@asynccontextmanager
async def webhook_server(names: Sequence[str] = ()) -> AsyncIterator[WebhookServer]:
    """A server on a free port of this machine, whose certificate is good for its address and for `names`."""
    authority = pki.new_ca("webhooks-ca")
    leaf = pki.issue(authority, "webhook", dns=names, ips=("127.0.0.1",), client=False, server=True)
    listening = socket.create_server(("127.0.0.1", 0))
    server = WebhookServer(authority, listening.getsockname()[1])
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening, ssl_context=server_context(leaf.certificate_pem, leaf.key_pem)).start()
    try:
        yield server
    finally:
        await runner.cleanup()
