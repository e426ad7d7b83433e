"""Calls to webhooks over real HTTPS: which address is dialed, whom is believed, and how faults are worded."""

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import uvloop
from aiohttp import web

from kubepy.apiserver.webhooks.client import CallError, NoClient, WebhookClient
from kubepy.apiserver.webhooks.places import NoPlace, places_of
from kubepy.apiserver.webhooks.target import BadTarget, ServiceReference, Target, from_client_config, from_kubeconfig
from kubepy.lib import pki
from kubepy.lib.kubeconfig import RestConfig
from tests.unit.apiserver.conftest import Objects
from tests.webhook_server import WebhookServer, webhook_server

Object = dict[str, Any]
NAME = "hook.default.svc"


def asking(test: Callable[[WebhookServer, WebhookClient, Objects], Awaitable[None]]) -> None:
    """Runs a test with a webhook that answers `/echo` with what it was sent, and a client."""

    async def run() -> None:
        objects = Objects()
        async with asyncio.timeout(20), webhook_server(names=[NAME]) as server:
            server.hooks["/echo"] = lambda review: {"sent": review}
            client = WebhookClient(objects)
            try:
                await test(server, client, objects)
            finally:
                await client.close()

    uvloop.run(run())


async def failed(client: WebhookClient, target: Target, **more: Any) -> str:
    with pytest.raises(CallError) as caught:
        await client.call(target, {"kind": "X"}, **more)
    return str(caught.value)


def service(port: int = 443, **spec: Any) -> Object:
    ports = [{"name": "tls", "port": port, "targetPort": "tls"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hook", "namespace": "default"},
        "spec": {"clusterIP": "10.0.0.7", "ports": ports, **spec},
    }


def endpoint_slice(address: str, port: int, *, ready: bool = True, name: str = "a") -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"hook-{name}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "hook"},
        },
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
        "ports": [{"name": "tls", "port": port}],
    }


def test_a_url_is_called_with_the_timeout_in_its_query_and_connections_are_kept() -> None:
    async def test(server: WebhookServer, client: WebhookClient, objects: Objects) -> None:
        target = from_client_config(server.client_config("/echo"))
        for number in range(3):
            assert await client.call(target, {"n": number}, timeout_s=9.5) == {"sent": {"n": number}}
        assert {path for path, _ in server.asked} == {"/echo?timeout=10s"}
        assert len({request.transport for request in server.requests}) == 1
        assert server.requests[0].headers["Content-Type"] == "application/json"
        assert server.requests[0].headers["User-Agent"] == "kube-apiserver-admission"

    asking(test)


def test_a_service_is_dialed_at_a_ready_endpoint_under_its_own_name() -> None:
    async def test(server: WebhookServer, client: WebhookClient, objects: Objects) -> None:
        named = {"service": {"name": "hook", "namespace": "default", "path": "/echo"}, "caBundle": server.ca_bundle}
        objects.put(
            service(),
            endpoint_slice("192.0.2.1", 9, ready=False, name="a"),
            endpoint_slice("127.0.0.1", server.port, name="b"),
        )
        assert await client.call(from_client_config(named), {}) == {"sent": {}}
        assert server.requests[0].headers["Host"] == NAME
        objects.put(endpoint_slice("127.0.0.1", server.port, ready=False, name="b"))
        why = await failed(WebhookClient(objects), from_client_config(named), timeout_s=10)
        assert why == f'Post "https://{NAME}:443/echo?timeout=10s": no endpoints available for service "hook"'

    asking(test)


def test_who_is_not_certified_by_the_bundle_or_not_for_the_name_is_not_believed() -> None:
    async def test(server: WebhookServer, client: WebhookClient, objects: Objects) -> None:
        stranger = base64.b64encode(pki.new_ca("stranger").certificate_pem).decode()
        config = {**server.client_config("/echo"), "caBundle": stranger}
        wanted = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        assert (await failed(client, from_client_config(config))).endswith(wanted)
        assert (await failed(client, from_client_config({"url": config["url"]}))).endswith(wanted)
        other = {"service": {"name": "hook", "namespace": "else"}, "caBundle": server.ca_bundle}
        objects.put({**service(type="ExternalName", externalName="127.0.0.1"),
                     "metadata": {"name": "hook", "namespace": "else"}})  # fmt: skip
        target = from_client_config({**other, "service": {**other["service"], "port": server.port}})  # type: ignore[dict-item]
        assert (await failed(client, target)).endswith("x509: certificate is not valid for hook.else.svc")
        assert server.asked == []
        broken = {**server.client_config("/echo"), "caBundle": base64.b64encode(b"nonsense").decode()}
        with pytest.raises(NoClient, match="unable to load root certificates: unable to parse bytes as PEM block"):
            await client.call(from_client_config(broken), {})

    asking(test)


def test_faults_of_the_way_are_worded_as_upstream_words_them() -> None:
    async def test(server: WebhookServer, client: WebhookClient, objects: Objects) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        nobody = Target(url=f"https://127.0.0.1:{port}/x")
        wanted = f'Post "https://127.0.0.1:{port}/x?timeout=1s": dial tcp 127.0.0.1:{port}: connect: connection refused'
        assert await failed(client, nobody, timeout_s=1) == wanted
        gone = Target(url="https://no-such-host.invalid/x")
        assert "dial tcp: lookup no-such-host.invalid" in await failed(client, gone)
        never = asyncio.Event()
        server.hooks["/slow"] = lambda review: never.wait()
        slow = from_client_config(server.client_config("/slow"))
        assert (await failed(client, slow, timeout_s=0.05)).endswith('?timeout=1s": context deadline exceeded')

    asking(test)


def test_answers_that_are_no_reviews_are_faults() -> None:
    async def test(server: WebhookServer, client: WebhookClient, objects: Objects) -> None:
        async def said(**answer: Any) -> str:
            server.hooks["/odd"] = lambda review: web.Response(**answer)
            return await failed(client, from_client_config(server.client_config("/odd")), most=100)

        assert await said(status=404) == "the server could not find the requested resource"
        assert await said(status=500, text="boom") == (
            'an error on the server ("boom") has prevented the request from succeeding'
        )
        assert await said(text="hello") != ""
        assert (await said(text="[]")).startswith("couldn't get version/kind; json parse error")
        assert "longer than 100 bytes" in await said(text="{" + " " * 200 + "}")
        assert await said(status=302, headers={"Location": "/echo"}) != ""
        status = '{"kind": "Status", "status": "Failure", "message": "told", "code": 409, "reason": "Conflict"}'
        assert await said(status=409, text=status) == "told"

    asking(test)


def test_a_kept_connection_that_the_webhook_closed_is_replaced() -> None:
    async def test(server: WebhookServer, client: WebhookClient, objects: Objects) -> None:
        target = from_client_config(server.client_config("/echo"))
        await client.call(target, {"n": 1})
        dropped = server.requests[0].transport
        server.hooks["/echo"] = lambda review: dropped.abort() if len(server.asked) == 2 else {"sent": review}
        assert await client.call(target, {"n": 2}) == {"sent": {"n": 2}}
        assert len(server.asked) == 3

    asking(test)


def test_a_kubeconfig_gives_certificate_and_token() -> None:
    async def test(server: WebhookServer, client: WebhookClient, objects: Objects) -> None:
        own = pki.issue(pki.new_ca("own"), "kube-apiserver")
        config = RestConfig(
            server=f"https://127.0.0.1:{server.port}/echo",
            ca=server.authority.certificate_pem,
            client_certificate=own.certificate_pem,
            client_key=own.key_pem,
            token="secret",
        )
        target = from_kubeconfig(config)
        assert await client.call(target, {}) == {"sent": {}}
        assert server.requests[0].headers["Authorization"] == "Bearer secret"
        assert await client.call(replace(target, ca=b"", insecure=True), {}) == {"sent": {}}

    asking(test)


def test_where_a_service_is_dialed() -> None:
    wanted = ServiceReference("default", "hook", 443)
    ready = endpoint_slice("10.1.0.1", 8443)
    assert places_of(wanted, service(), [ready]) == [("10.1.0.1", 8443)]
    assert places_of(wanted, service(), []) == [("10.0.0.7", 443)]
    assert places_of(wanted, service(type="ExternalName", externalName="x.example"), []) == [("x.example", 443)]
    for found, slices, why in (
        (None, [], 'service "hook" not found'),
        (service(port=8443), [ready], 'no service port 443 found for service "hook"'),
        (service(clusterIP="None"), [], 'no endpoints available for service "hook"'),
    ):
        with pytest.raises(NoPlace, match=why):
            places_of(wanted, found, slices)


def test_a_client_config_must_name_a_webhook() -> None:
    with pytest.raises(BadTarget, match="either service or URL"):
        from_client_config({})
    with pytest.raises(BadTarget, match="Unparsable URL"):
        from_client_config({"url": "nonsense"})
    named = from_client_config({"service": {"name": "a", "namespace": "b", "path": "/p/q", "port": 8443}})
    assert named == Target(url="https://a.b.svc:8443/p/q", service=ServiceReference("b", "a", 8443))
