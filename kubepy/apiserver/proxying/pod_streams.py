"""log, exec, attach and portforward of a pod: asked of the kubelet that runs it.

The options are the query's, in the kubelet's words; upgrades go through byte for byte.
Source: pkg/registry/core/pod/{rest/subresources.go,rest/log.go,strategy.go} (streamLocation, LogLocation).
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode

from kubepy.api import instants
from kubepy.api.errors import (
    ApiError,
    BadRequest,
    InternalError,
    NotFound,
    forbidden,
    from_status,
    invalid,
    invalid_object,
    not_supported,
)
from kubepy.api.meta import Object
from kubepy.apiserver.authz.decision import forbidden as not_allowed
from kubepy.apiserver.http.handler import Authorizer
from kubepy.apiserver.http.options import Params, first, flag, parse_int
from kubepy.apiserver.http.routing import Router
from kubepy.apiserver.http.websocket_streams import as_plain, is_websocket, log_upgrade
from kubepy.apiserver.proxying.connect_options import stream_options
from kubepy.apiserver.proxying.kubelets import Kubelets
from kubepy.apiserver.proxying.proxy import BackendError, forward
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.reading import get
from kubepy.apiserver.registry.served import Served
from kubepy.lib.http import Answer, Response, Stream

_LOG_FLAGS = ("follow", "previous", "timestamps")
_LOG_VALUES = ("sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream")
_LOG_NUMBERS = ("sinceSeconds", "tailLines", "limitBytes")
_LOG_STREAMS = ("All", "Stderr", "Stdout")
_STREAM_FLAGS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
_REFUSAL_MOST = 64 * 1024


class PodStreams:
    """Answers the four subresources.

    `authorizer` says of who comes by WebSocket, which is a GET, whether he may create, too: to read is not to run
    commands. None lets him do as he may get.
    """

    def __init__(self, engine: Engine, pods: Served, kubelets: Kubelets, authorizer: Authorizer | None) -> None:
        self._engine, self._pods, self._kubelets, self._authorizer = engine, pods, kubelets, authorizer

    def install(self, router: Router) -> None:
        """Adds them."""
        router.streams["pods", "log"] = self._log
        router.streams["pods", "exec"] = self._exec
        router.streams["pods", "attach"] = self._attach
        router.streams["pods", "portforward"] = self._port_forward

    async def _pod(self, ctx: Context) -> Object:
        return decode_stored((await get(self._pods, ctx)).data)

    async def _log(self, ctx: Context) -> Answer:
        check_log_options(ctx.params, ctx.info.name)
        pod = await self._pod(ctx)
        container = choose_container(pod, first(ctx.params, "container"))
        node = (pod.get("spec") or {}).get("nodeName")
        if not node:
            return Response(200, b"", "text/plain")
        query = {name: "true" for name in _LOG_FLAGS if flag(ctx.params, name)}
        query |= {name: value for name in _LOG_VALUES if (value := first(ctx.params, name))}
        upgrades = is_websocket(ctx.request)
        request = as_plain(ctx.request) if upgrades else ctx.request
        target = self._target("containerLogs", pod, container, urlencode(query))
        try:
            kubelet = self._kubelets.of_node(node)
            if flag(ctx.params, "insecureSkipTLSVerifyBackend"):
                kubelet = self._kubelets.unverified(kubelet)
            answer = await forward(kubelet, request, target)
        except BackendError as fault:
            raise InternalError(f'Get "https://{node}{target}": {fault}') from fault
        if answer.status >= 300:
            raise await _log_refusal(answer, ctx.info.name)
        answer.headers = {}
        if isinstance(answer, Stream | Response):
            answer.content_type = "text/plain"
        return log_upgrade(ctx.request, answer) if upgrades and isinstance(answer, Stream) else answer

    async def _require_create(self, ctx: Context) -> None:
        if self._authorizer is not None and ctx.info.verb != "create":
            info = replace(ctx.info, verb="create")
            decision = await self._authorizer.authorize(ctx.user, info)
            if not decision.allowed:
                raise not_allowed(ctx.user, info, decision.reason)

    async def _exec(self, ctx: Context) -> Answer:
        return await self._stream(ctx, "exec", [("command", value) for value in ctx.params.get("command") or ()])

    async def _attach(self, ctx: Context) -> Answer:
        return await self._stream(ctx, "attach", [])

    async def _stream(self, ctx: Context, verb: str, more: list[tuple[str, str]]) -> Answer:
        await self._require_create(ctx)
        pod = await self._pod(ctx)
        container = choose_container(pod, first(ctx.params, "container"))
        node = _assigned_node(pod)
        if verb == "exec" and not more:
            raise BadRequest("you must specify at least 1 command for the container")
        wants = {name for name in _STREAM_FLAGS if flag(ctx.params, name)}
        if not wants & {"stdin", "stdout", "stderr"}:
            raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
        if {"tty", "stderr"} <= wants:
            wants -= {"stderr"}
        query = [(_STREAM_FLAGS[name], "1") for name in _STREAM_FLAGS if name in wants] + more
        return await self._connect(ctx, node, self._target(verb, pod, container, urlencode(query)))

    async def _port_forward(self, ctx: Context) -> Answer:
        await self._require_create(ctx)
        pod = await self._pod(ctx)
        node = _assigned_node(pod)
        ports = [("port", value) for value in ctx.params.get("ports") or ()]
        return await self._connect(ctx, node, self._target("portForward", pod, "", urlencode(ports)))

    async def _connect(self, ctx: Context, node: str, target: str) -> Answer:
        options = stream_options(self._pods.resource, ctx.info.subresource, ctx.params)
        await self._engine.admit_connect(self._pods, ctx, options)
        try:
            return await forward(self._kubelets.of_node(node), ctx.request, target)
        except BackendError as fault:
            raise InternalError(f"Internal error occurred: error dialing backend: {fault}") from fault

    @staticmethod
    def _target(verb: str, pod: Object, container: str, query: str) -> str:
        meta = pod["metadata"]
        parts = [verb, meta["namespace"], meta["name"], *([container] if container else [])]
        path = "/" + "/".join(quote(part, safe="") for part in parts)
        return f"{path}?{query}" if query else path


def _assigned_node(pod: Object) -> str:
    node = (pod.get("spec") or {}).get("nodeName")
    if not node:
        raise BadRequest(f"pod {pod['metadata']['name']} does not have a host assigned")
    return str(node)


def check_log_options(params: Params, name: str) -> None:
    """Raises BadRequest for what cannot be read, Invalid for what makes no sense.

    Source: pkg/apis/core/validation/validation.go (ValidatePodLogOptions).
    """
    found = {field: parse_int(text) for field in _LOG_NUMBERS if (text := first(params, field))}
    since, stream = first(params, "sinceTime"), first(params, "stream")
    if since and instants.parse(since) is None:
        raise BadRequest(instants.parse_fault(since))
    faults = []
    if found.get("tailLines", 0) < 0:
        faults.append(invalid("tailLines", found["tailLines"], "must be greater than or equal to 0"))
    if found.get("limitBytes", 1) < 1:
        faults.append(invalid("limitBytes", found["limitBytes"], "must be greater than 0"))
    if since and "sinceSeconds" in found:
        faults.append(forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif found.get("sinceSeconds", 1) < 1:
        faults.append(invalid("sinceSeconds", found["sinceSeconds"], "must be greater than 0"))
    if stream and stream not in _LOG_STREAMS:
        faults.append(not_supported("stream", stream, _LOG_STREAMS))
    if stream not in ("", "All") and "tailLines" in found:
        faults.append(forbidden("", "`tailLines` and specific `stream` are mutually exclusive for now"))
    if faults:
        raise invalid_object("", "PodLogOptions", name, faults)


def choose_container(pod: Object, asked: str) -> str:
    """The container that is meant: the one asked for, or the only one. Raises BadRequest."""
    spec, name = pod.get("spec") or {}, pod["metadata"]["name"]
    init, main, ephemeral = (
        [container["name"] for container in spec.get(field) or ()]
        for field in ("initContainers", "containers", "ephemeralContainers")
    )
    everyone = [*init, *main, *ephemeral]
    if asked:
        if asked in everyone:
            return asked
        raise BadRequest(f"container {asked} is not valid for pod {name}")
    if len(main) == 1:
        return str(main[0])
    raise BadRequest(f"a container name must be specified for pod {name}, choose one of: [{' '.join(everyone)}]")


async def _log_refusal(answer: Answer, name: str) -> ApiError:
    text = ""
    if isinstance(answer, Stream):
        parts: list[bytes] = []
        async for chunk in answer.chunks:
            parts.append(chunk)
            if sum(map(len, parts)) > _REFUSAL_MOST:
                break
        close = getattr(answer.chunks, "aclose", None)
        if close is not None:
            await close()
        text = b"".join(parts).decode(errors="replace").strip()
    kinds: Mapping[int, type[ApiError]] = {400: BadRequest, 404: NotFound}
    kind = kinds.get(answer.status)
    if kind is not None:
        return kind(text)
    if answer.status >= 500:
        return InternalError(f"Internal error occurred: {text}")
    return from_status({"code": answer.status, "message": text, "details": {"name": name, "kind": "pods"}})
