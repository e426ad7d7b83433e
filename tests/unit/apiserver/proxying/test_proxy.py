"""Passing requests on to another server: streams, refusals, upgrades, and where kubelets and endpoints are."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop
from multidict import CIMultiDict

from kubepy.api.errors import BadRequest
from kubepy.apiserver.proxying.kubelets import kubelet_port, preferred_address
from kubepy.apiserver.proxying.pod_streams import choose_container
from kubepy.apiserver.proxying.proxy import Backend, BackendError, forward, forwarded_headers, pump
from kubepy.apiserver.proxying.proxy_endpoints import addresses_of, is_proxyable, of_pods, on_node, split_name
from kubepy.apiserver.proxying.service_places import ready_places
from kubepy.lib.http import Answer, Connection, Handler, Request, Response, Stream, Upgrade
from kubepy.lib.http_server import serve
from tests.unit.apiserver.conftest import Objects


def behind(backend: Handler, test: Callable[[int], Awaitable[None]]) -> None:
    """Runs a test on a front server that passes everything on to `backend`; the test is told its port."""

    async def run() -> None:
        async with asyncio.timeout(20):
            rear = await serve(backend, host="127.0.0.1", port=0)

            async def front_handler(request: Request) -> Answer:
                return await forward(Backend("127.0.0.1", rear.port, None), request, request.path)

            front = await serve(front_handler, host="127.0.0.1", port=0)
            await test(front.port)
            await front.close(1)
            await rear.close(1)

    uvloop.run(run())


def test_a_streamed_answer_comes_as_it_is_made() -> None:
    go_on = asyncio.Event()

    async def backend(request: Request) -> Answer:
        assert "Authorization" not in request.headers
        assert request.headers["X-Kept"] == "yes"

        async def chunks() -> AsyncIterator[bytes]:
            yield b"first\n"
            await go_on.wait()
            yield b"second\n"

        return Stream(chunks(), content_type="text/plain")

    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /log HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nX-Kept: yes\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"text/plain" in head
        assert b"first\n" in await reader.readuntil(b"first\n")
        go_on.set()
        assert b"second\n" in await reader.readuntil(b"0\r\n\r\n")
        writer.close()

    behind(backend, test)


@pytest.mark.parametrize("protocol", ["SPDY/3.1", "websocket"])
def test_an_upgrade_is_a_tunnel(protocol: str) -> None:
    async def backend(request: Request) -> Answer:
        assert request.headers["X-Stream-Protocol-Version"] == "v4.channel.k8s.io"

        async def serve_it(connection: Connection) -> None:
            while data := await connection.read():
                await connection.write(data[::-1])

        return Upgrade(serve_it, {"Upgrade": request.headers["Upgrade"], "X-Said": "yes"})

    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n"
            "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"X-Said: yes" in head
        for word in (b"abc", b"\x00\xff\x10"):
            writer.write(word)
            assert await reader.readexactly(3) == word[::-1]
        writer.close()

    behind(backend, test)


def test_nothing_by_which_the_caller_says_who_it_is_goes_on() -> None:
    shown = {
        "Authorization": "Bearer a", "X-Remote-User": "c", "X-Remote-Group": "c", "X-Remote-Uid": "c",
        "X-Remote-Extra-A": "c", "Impersonate-User": "d", "Impersonate-Extra-b": "d", "Accept-Encoding": "gzip",
        "Cookie": "e", "Connection": "x",
        "Sec-WebSocket-Protocol": "base64url.bearer.authorization.k8s.io.YQ, v5.channel.k8s.io",
    }  # fmt: skip
    kept = forwarded_headers(Request("GET", "/", headers=CIMultiDict(shown)))
    assert dict(kept) == {"Accept-Encoding": "gzip", "Cookie": "e", "Sec-WebSocket-Protocol": "v5.channel.k8s.io"}


def test_a_refused_upgrade_is_an_answer() -> None:
    async def backend(request: Request) -> Answer:
        return Response(404, b"no such container", "text/plain")

    async def run() -> None:
        rear = await serve(backend, host="127.0.0.1", port=0)
        headers = CIMultiDict({"Connection": "Upgrade", "Upgrade": "SPDY/3.1"})
        answer = await forward(Backend("127.0.0.1", rear.port, None), Request("POST", "/x", "", headers), "/x")
        assert isinstance(answer, Response)
        assert (answer.status, answer.body) == (404, b"no such container")
        await rear.close(1)
        with pytest.raises(BackendError, match="connection refused"):
            await forward(Backend("127.0.0.1", rear.port, None), Request("GET", "/x"), "/x")

    uvloop.run(run())


def test_a_body_before_a_switch_of_protocols_is_not_taken_for_the_next_request() -> None:
    asked: list[str] = []

    async def backend(request: Request) -> Answer:
        asked.append(request.path)
        return Response(404, b"no", "text/plain")

    async def run() -> None:
        rear = await serve(backend, host="127.0.0.1", port=0)
        headers = CIMultiDict({"Connection": "Upgrade", "Upgrade": "websocket"})
        hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\nX-Remote-User: admin\r\n\r\n"
        await forward(Backend("127.0.0.1", rear.port, None), Request("GET", "/x", "", headers, hidden), "/x")
        await rear.close(1)

    uvloop.run(run())
    assert asked == ["/x"]


def test_the_container_is_the_one_asked_for_or_the_only_one() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}]}
    pod = {"metadata": {"name": "p"}, "spec": spec}
    assert choose_container(pod, "b") == "b"
    assert choose_container({**pod, "spec": {"containers": [{"name": "a"}]}}, "") == "a"
    with pytest.raises(BadRequest, match=r"must be specified for pod p, choose one of: \[a b\]"):
        choose_container(pod, "")
    more = {**spec, "initContainers": [{"name": "i"}], "ephemeralContainers": [{"name": "e"}]}
    with pytest.raises(BadRequest, match=r"choose one of: \[i a b e\]$"):
        choose_container({**pod, "spec": more}, "")
    with pytest.raises(BadRequest, match="container c is not valid for pod p"):
        choose_container(pod, "c")


def test_a_kubelet_is_reached_at_the_preferred_address() -> None:
    addresses = [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "n1"}]
    node = {"status": {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 10255}}}}
    assert preferred_address(node, ("ExternalIP", "InternalIP", "Hostname")) == "10.0.0.1"
    assert preferred_address(node, ("Hostname",)) == "n1"
    assert preferred_address({}, ("Hostname",)) is None
    assert (kubelet_port(node), kubelet_port({})) == (10255, 10250)


def test_names_carry_schemes_and_ports() -> None:
    assert split_name("web", "pod") == ("", "web", "")
    assert split_name("web:80", "pod") == ("", "web", "80")
    assert split_name("https:web:", "pod") == ("https", "web", "")
    assert split_name("https:web:443", "pod") == ("https", "web", "443")
    with pytest.raises(BadRequest):
        split_name("ftp:web:1", "pod")


def test_only_the_kubelet_of_a_node_is_shown_this_servers_certificate() -> None:
    tls = ssl.create_default_context()
    kubelet = Backend("10.0.0.1", 10250, tls)
    assert on_node(kubelet, "", "", "n") is on_node(kubelet, "https", "10250", "n") is kubelet
    assert on_node(kubelet, "", "9100", "n") == Backend("10.0.0.1", 9100, None)
    other = on_node(kubelet, "https", "6443", "n")
    assert (other.port, other.tls is not None, other.tls is tls) == (6443, True, False)
    assert on_node(Backend("n1.example", 10250, tls), "", "80", "n").port == 80


def test_a_name_of_a_node_is_looked_up_before_it_is_proxied_to() -> None:
    def reached(host: str) -> bool:
        return all(map(is_proxyable, uvloop.run(addresses_of(host))))

    assert reached("10.0.0.1")
    for host in ("127.0.0.1", "169.254.169.254", "localhost", "127.1", "2130706433"):
        assert not reached(host)
    for host in ("n..example", ""):
        with pytest.raises(BadRequest, match=rf"lookup {host}: no such host"):
            reached(host)


@pytest.mark.parametrize("headers", [{}, {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}])
def test_a_node_with_a_name_that_no_host_has_cannot_be_reached(headers: dict[str, str]) -> None:
    request = Request("GET", "/x", headers=CIMultiDict(headers))
    with pytest.raises(BackendError, match=r"dial tcp n\.\.example:80: "):
        uvloop.run(forward(Backend("n..example", 80, None), request, "/x"))


def test_only_ready_endpoints_of_the_port_are_places() -> None:
    endpoints = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        {"addresses": ["10.0.0.3"]},
    ]
    ports = [{"name": "http", "port": 8080}, {"name": "metrics", "port": 9090}]
    assert ready_places([{"endpoints": endpoints, "ports": ports}], "http") == [("10.0.0.1", 8080), ("10.0.0.3", 8080)]


def test_a_service_is_proxied_to_pods_at_their_own_addresses_alone(objects: Objects) -> None:
    meta = {"name": "p", "namespace": "a"}
    objects.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": {"podIPs": [{"ip": "10.0.0.1"}]}})
    ref, elsewhere = {"kind": "Pod", **meta}, {"kind": "Pod", "name": "p", "namespace": "b"}
    endpoints = [
        {"addresses": ["10.0.0.1"], "targetRef": ref},
        {"addresses": ["10.0.0.2"], "targetRef": ref},
        {"addresses": ["10.0.0.1"], "targetRef": elsewhere},
        {"addresses": ["10.0.0.1"], "targetRef": {**ref, "name": "gone"}},
        {"addresses": ["10.0.0.1"]},
    ]
    found = of_pods(objects, {"metadata": {"name": "s", "namespace": "a"}, "endpoints": endpoints})
    assert found["endpoints"] == endpoints[:1]


def test_what_the_backend_said_last_arrives_though_the_client_speaks_on() -> None:
    async def run() -> None:
        near, far = Near(), asyncio.StreamReader()
        writer = Gone()
        near.said.put_nowait(b"to nobody")
        pumping = asyncio.create_task(pump(near, far, writer))  # type: ignore[arg-type]  # a writer's part
        async with asyncio.timeout(5):
            await writer.tried.wait()
            for _ in range(10):  # the tunnel learns of it before the backend's last words come
                await asyncio.sleep(0)
            far.feed_data(b"goodbye")
            far.feed_eof()
            await pumping
        assert near.heard == b"goodbye"

    asyncio.run(run())


class Near:
    """The client's end of a tunnel."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.heard = b""

    async def read(self) -> bytes:
        return await self.said.get()

    async def write(self, data: bytes) -> None:
        self.heard += data

    async def close(self) -> None:
        """Nothing is held."""


class Gone:
    """A writer to a backend that does not read any more."""

    def __init__(self) -> None:
        self.tried = asyncio.Event()

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.tried.set()

    async def drain(self) -> None:
        raise ConnectionResetError("gone")

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held."""


_OWN = ["", "127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "name"]
_MAPPED = ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"]


@pytest.mark.parametrize("address", [*_OWN, *_MAPPED])
def test_a_pod_is_not_reached_at_the_server_s_own_addresses(address: str) -> None:
    assert not is_proxyable(address)
    assert is_proxyable("10.1.2.3")
    assert is_proxyable("fd00::3")
    assert is_proxyable("::ffff:10.1.2.3")
