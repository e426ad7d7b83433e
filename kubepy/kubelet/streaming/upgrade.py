"""Choose the protocol of a streaming request and build the switch to it."""

from collections.abc import Awaitable, Callable, Sequence

from kubepy.kubelet.streaming.channels import (
    SPDY_PROTOCOLS,
    WEBSOCKET_PROTOCOLS,
    Channels,
    SpdyChannels,
    Wanted,
    WebSocketChannels,
)
from kubepy.kubelet.streaming.portforward import (
    SPDY_PROTOCOL,
    TUNNEL_PROTOCOL,
    SpdyForwarding,
    WebSocketForwarding,
)
from kubepy.kubelet.streaming.portforward import WEBSOCKET_PROTOCOLS as FORWARD_PROTOCOLS
from kubepy.lib.http import Answer, Connection, Request, Response, Upgrade
from kubepy.lib.websocket import Tunnel, WebSocket, accept_key

_STREAM_VERSION = "X-Stream-Protocol-Version"


def _refuse(status: int, message: str) -> Response:
    return Response(status, message.encode() + b"\n", "text/plain; charset=utf-8")


def is_websocket(request: Request) -> bool:
    return (request.headers.get("Upgrade") or "").lower() == "websocket"


def is_spdy(request: Request) -> bool:
    return (request.headers.get("Upgrade") or "").lower() == "spdy/3.1"


def offered(request: Request, header: str) -> list[str]:
    """The values of a header that may come several times or in a list."""
    return [part.strip() for line in request.headers.getall(header, []) for part in line.split(",") if part.strip()]


def choose(offers: Sequence[str], known: Sequence[str]) -> str | None:
    """The first of the client's offers that is known; without offers, the plainest."""
    if not offers:
        return known[-1]
    return next((offer for offer in offers if offer in known), None)


def _websocket_headers(request: Request, protocol: str) -> dict[str, str]:
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(request.headers.get("Sec-WebSocket-Key") or ""),
        **({"Sec-WebSocket-Protocol": protocol} if protocol else {}),
    }


def remote_command(request: Request, wanted: Wanted, serve: Callable[[Channels], Awaitable[None]]) -> Answer:
    """The switch to exec's or attach's protocol; `serve` is given the client's channels."""
    if is_websocket(request):
        offers = offered(request, "Sec-WebSocket-Protocol")
        protocol = choose(offers, WEBSOCKET_PROTOCOLS) if offers else "channel.k8s.io"
        if protocol is None:
            return _refuse(400, f"unable to upgrade: no supported protocol in {offers}")

        async def over_websocket(connection: Connection) -> None:
            channels = WebSocketChannels(WebSocket(connection), protocol)
            await channels.greet(wanted)
            await serve(channels)

        return Upgrade(over_websocket, _websocket_headers(request, protocol if offers else ""))
    if not is_spdy(request):
        return _refuse(400, "Upgrade request required")
    offers = offered(request, _STREAM_VERSION)
    version = choose(offers, SPDY_PROTOCOLS)
    if version is None:
        return _refuse(403, f"unable to upgrade: no supported protocol in {offers}")

    async def over_spdy(connection: Connection) -> None:
        channels = SpdyChannels(connection, version, wanted)
        await channels.open()
        await serve(channels)

    headers = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade", **({_STREAM_VERSION: version} if offers else {})}
    return Upgrade(over_spdy, headers)


def port_forward(request: Request, ports: Sequence[int], netns: str) -> Answer:
    """The switch to port-forward's protocol."""
    if is_websocket(request):
        offers = offered(request, "Sec-WebSocket-Protocol")
        if TUNNEL_PROTOCOL in offers:

            async def tunnelled(connection: Connection) -> None:
                await SpdyForwarding(Tunnel(WebSocket(connection)), netns).serve()

            return Upgrade(tunnelled, _websocket_headers(request, TUNNEL_PROTOCOL))
        protocol = choose(offers, FORWARD_PROTOCOLS) if offers else ""
        if protocol is None:
            return _refuse(400, f"unable to upgrade: no supported protocol in {offers}")
        if not ports:
            return _refuse(400, 'query parameter "port" is required')

        async def over_websocket(connection: Connection) -> None:
            await WebSocketForwarding(WebSocket(connection), ports, netns).serve()

        return Upgrade(over_websocket, _websocket_headers(request, protocol))
    if not is_spdy(request):
        return _refuse(400, "Upgrade request required")

    async def over_spdy(connection: Connection) -> None:
        await SpdyForwarding(connection, netns).serve()

    return Upgrade(over_spdy, {"Upgrade": "SPDY/3.1", "Connection": "Upgrade", _STREAM_VERSION: SPDY_PROTOCOL})
