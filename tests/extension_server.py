"""An extension API server as its author would run it: HTTPS of its own, believing only the front proxy's headers."""

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from kubepy.lib import pki
from kubepy.lib.tls import server_context

Object = dict[str, Any]
GROUP, VERSION = "demo.example", "v1"
ROOT = f"/apis/{GROUP}/{VERSION}"
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_RESPONSE_KIND = {"group": GROUP, "version": VERSION, "kind": "Cup"}
_DEFINITION = "example.demo.v1.Cup"


class ExtensionServer:
    """Serves cups; `requests` are those that came from the front proxy, others were turned away."""

    def __init__(self, authority: pki.Identity, port: int, *, aggregated: bool) -> None:
        self.authority, self.port, self.aggregated = authority, port, aggregated
        self.requests: list[web.Request] = []
        self.healthy = True

    def api_service(self, service: str = "cups", **spec: Any) -> Object:
        """How it is registered."""
        bundle = base64.b64encode(self.authority.certificate_pem).decode()
        return {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{VERSION}.{GROUP}"},
            "spec": {
                "group": GROUP,
                "version": VERSION,
                "groupPriorityMinimum": 2000,
                "versionPriority": 10,
                "service": {"name": service, "namespace": "default", "port": self.port},
                "caBundle": bundle,
                **spec,
            },
        }

    def service(self, name: str = "cups") -> Object:
        """The Service that leads here."""
        spec = {"type": "ExternalName", "externalName": "localhost"}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if not self.healthy:
            return web.Response(status=500)
        assert request.transport is not None
        shown = request.transport.get_extra_info("peercert")
        if not shown:
            return web.Response(status=401)
        self.requests.append(request)
        documents = {
            "/apis": self._groups(request),
            ROOT: web.json_response(resource_list()),
            "/openapi/v2": web.json_response(openapi_v2(), headers={"ETag": '"1"'}),
            "/openapi/v3": web.json_response(
                {"paths": {ROOT[1:]: {"serverRelativeURL": f"/openapi/v3{ROOT}?hash=ABC"}}}
            ),
            f"/openapi/v3{ROOT}": web.json_response({"openapi": "3.0.0", "paths": {f"{ROOT}/cups": {}}}),
        }
        if request.path in documents:
            return documents[request.path]
        if "elsewhere" in request.query:
            return web.Response(status=302, headers={"Location": "https://elsewhere.example"})
        if request.headers.get("Upgrade") == "websocket":
            return await self._echo(request)
        if "watch" in request.query:
            return await self._watch(request)
        said = {"method": request.method, "query": request.query_string, "body": await request.text()}
        return web.json_response({"kind": "Cup", "apiVersion": f"{GROUP}/{VERSION}", "said": said}, status=201)

    def _groups(self, request: web.Request) -> web.Response:
        if self.aggregated and "APIGroupDiscoveryList" in request.headers.get("Accept", ""):
            return web.Response(text=json.dumps(aggregated()), headers={"Content-Type": _AGGREGATED})
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"type":"ADDED","object":{"kind":"Cup"}}\n')
        await asyncio.Event().wait()
        return response

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket


def resource_list() -> Object:
    cups = {
        "name": "cups", "singularName": "cup", "namespaced": True, "kind": "Cup", "verbs": ["get", "list"],
        "shortNames": ["cu"],
    }  # fmt: skip
    status = {"name": "cups/status", "singularName": "", "namespaced": True, "kind": "Cup", "verbs": ["get"]}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{VERSION}",
        "resources": [cups, status],
    }


def discovered() -> Object:
    """The resources as aggregated discovery has them."""
    below = {"subresource": "status", "responseKind": _RESPONSE_KIND, "verbs": ["get"]}
    return {
        "resource": "cups", "responseKind": _RESPONSE_KIND, "scope": "Namespaced", "singularResource": "cup",
        "verbs": ["get", "list"], "shortNames": ["cu"], "subresources": [below],
    }  # fmt: skip


def aggregated() -> Object:
    versions = [{"version": VERSION, "resources": [discovered()], "freshness": "Current"}]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [{"metadata": {"name": GROUP}, "versions": versions}],
    }


def openapi_v2() -> Object:
    answer = {"200": {"description": "OK", "schema": {"$ref": f"#/definitions/{_DEFINITION}"}}}
    listed = {"get": {"operationId": "listCups", "responses": answer}}
    return {
        "swagger": "2.0",
        "info": {"title": "cups", "version": "1"},
        "paths": {f"{ROOT}/cups": listed, "/healthz": listed},
        "definitions": {_DEFINITION: {"type": "object", "description": "A cup."}, "unused": {"type": "object"}},
    }


@asynccontextmanager
async def extension_server(
    proxy_authority: pki.Identity, *, service: str = "cups", aggregated: bool = True
) -> AsyncIterator[ExtensionServer]:
    """One on a free port of this machine, with a certificate for its Service."""
    authority = pki.new_ca("extension-ca")
    leaf = pki.issue(authority, "extension", dns=(f"{service}.default.svc",), client=False, server=True)
    tls = server_context(leaf.certificate_pem, leaf.key_pem)
    tls.load_verify_locations(cadata=proxy_authority.certificate_pem.decode())
    tls.verify_mode = ssl.CERT_OPTIONAL
    listening = socket.create_server(("127.0.0.1", 0))
    server = ExtensionServer(authority, listening.getsockname()[1], aggregated=aggregated)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening, ssl_context=tls).start()
    try:
        yield server
    finally:
        await runner.cleanup()
