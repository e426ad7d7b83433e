"""Follows APIServices: passes requests on to extension servers, looks after their availability, merges what they tell.

Level-triggered over the watch caches: `sync` of an APIService runs when it or what backs it changes, and every
`RESYNC_S`, for servers fall silent without a change. What is passed on follows the stored condition, which all
servers of a cluster share. Of several workers the one that leads looks after them; each hears what is told.
Source: kube-aggregator pkg/apiserver/{apiserver,handler_proxy}.go, pkg/controllers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from kubepy.api import resources
from kubepy.api.discovery_merge import Others, order_of
from kubepy.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from kubepy.api.meta import Object
from kubepy.api.resources import BUILT_IN
from kubepy.apiserver.aggregation import availability, registration
from kubepy.apiserver.aggregation.backends import Backends
from kubepy.apiserver.aggregation.remote import Remote, is_available, remote_of
from kubepy.apiserver.aggregation.telling import Teller, Told
from kubepy.apiserver.aggregation.unavailability import Unavailability
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.http.routing import Endpoint
from kubepy.apiserver.loops.api_services import local_services
from kubepy.apiserver.proxying.proxy import BackendError
from kubepy.apiserver.proxying.service_places import SERVICE_NAME, slices_of
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.rewriting import rewrite
from kubepy.apiserver.webhooks.places import NoPlace
from kubepy.lib import log
from kubepy.lib.clock import rfc3339
from kubepy.lib.http import Answer, Request, Response, Stream
from kubepy.lib.workqueue import Retry, WorkQueue, run_workers
from kubepy.storage.base import StoreError
from kubepy.storage.cached import CachedObject

if TYPE_CHECKING:
    from kubepy.apiserver.server import ApiServer

API_SERVICES = resources.named("apiservices", "apiregistration.k8s.io")
_SERVICES = resources.named("services")
_SLICES = resources.named("endpointslices", "discovery.k8s.io")
RESYNC_S = 30.0
_RETRY_S = 5.0
_WORKERS = 5
_TEXT = "text/plain; charset=utf-8"
_UNAVAILABLE = Response(503, b"service unavailable\n", _TEXT)
_REGISTRATION, _OPENAPI = "\0registration", "\0openapi "
"""Keys of the queue that are no APIService's: those that this server keeps; the OpenAPI of a named one."""
_log = log.get(__name__)


class Aggregator:
    """See the module's docstring."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server
        self._engine = server.engine
        self._served = self._engine.of(API_SERVICES)
        self._backends = Backends(server.config, server.lookup)
        self._teller = Teller(self._backends)
        self._queue: WorkQueue[str] = WorkQueue()
        self._unavailability = Unavailability()
        server.metrics.registry.register(self._unavailability)
        self._remotes: dict[str, Remote] = {}
        self._available: set[str] = set()
        self._told: dict[str, Told] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._built_in = frozenset(one["metadata"]["name"] for one in local_services(BUILT_IN))

    async def start(self) -> None:
        """Knows what is registered already, and from now on what is registered as soon as it is."""
        self._engine.after_create[self._served.prefix] = self._registered
        found, _ = self._served.cache.list()
        for entry in found:
            self._learn(decode_stored(entry.data))
        self._tell()

    async def run(self) -> None:
        """Follows changes until cancelled."""
        self._server.documents.on_change.append(self._custom_changed)
        self._queue.add(_REGISTRATION)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="aggregator: APIServices")
                group.create_task(self._follow_services(), name="aggregator: Services")
                group.create_task(self._follow_slices(), name="aggregator: EndpointSlices")
                group.create_task(self._resync(), name="aggregator: resync")
                group.create_task(run_workers(self._queue, _WORKERS, self._work, name="aggregator"), name="aggregator")
        finally:
            await self._backends.close()

    async def forward(self, name: str, request: Request, user: UserInfo) -> Answer:
        """The answer of the extension server that an APIService names, or why there is none."""
        remote = self._remotes.get(name)
        if remote is None or name not in self._available:
            return _UNAVAILABLE
        try:
            answer = await self._backends.forward(remote, request, user)
            return await self._unless_redirected(answer)
        except NoPlace as fault:
            _log.warning("no place for an extension server", api_service=name, why=str(fault))
            return _UNAVAILABLE
        except BackendError as fault:
            return Response(503, f"error trying to reach service: {fault}\n".encode(), _TEXT)

    async def _unless_redirected(self, answer: Answer) -> Answer:
        """The answer; one that would lead the caller elsewhere is not passed on, unless the flag says so."""
        leads = 300 <= answer.status < 400 and "Location" in answer.headers
        if not leads or not self._server.config.aggregator_reject_forwarding_redirect:
            return answer
        if isinstance(answer, Stream):
            await answer.chunks.aclose()  # type: ignore[attr-defined]  # a body of `proxy` has it
        return Response(502, b"the backend attempted to redirect this request, which is not permitted", _TEXT)

    async def sync(self, name: str) -> None:
        """Brings one APIService's condition, and what is told of it, up to date. Raises ApiError, StoreError."""
        found = self._engine.lookup.get(API_SERVICES, name)
        if found is None:
            return
        remote = remote_of(found)
        if not self._server.leads:
            if remote is not None:
                await self._hear(remote, is_there=is_available(found))
            return
        verdict = availability.LOCAL if remote is None else await self._verdict(remote)
        if remote is not None:
            # Who waits for the condition finds the resources in discovery.
            await self._hear(remote, is_there=verdict is availability.PASSED)
        await self._write(name, verdict)
        if verdict.reason == "FailedDiscoveryCheck":
            self._queue.add_after(name, _RETRY_S)

    async def _verdict(self, remote: Remote) -> availability.Verdict:
        found = self._check_backing(remote)
        if found is not None:
            return found
        why = await self._teller.check(remote)
        return availability.failed_discovery(why) if why else availability.PASSED

    async def _hear(self, remote: Remote, *, is_there: bool) -> None:
        """Takes in what the server tells of itself; its OpenAPI is not waited for."""
        known = self._told.get(remote.name, Told())
        self._keep(remote, await self._teller.tell_resources(remote, known) if is_there else _stale(known))
        if is_there:
            self._queue.add(f"{_OPENAPI}{remote.name}")

    async def _hear_openapi(self, name: str) -> None:
        remote = self._remotes.get(name)
        if remote is not None:
            self._keep(remote, await self._teller.tell_openapi(remote, self._told.get(name, Told())))

    def _keep(self, remote: Remote, told: Told) -> None:
        """Takes in what a server tells, if it is still the one that is registered."""
        if self._remotes.get(remote.name) == remote and told != self._told.get(remote.name, Told()):
            self._told[remote.name] = told
            self._tell()

    def _check_backing(self, remote: Remote) -> availability.Verdict | None:
        lookup, wanted = self._engine.lookup, remote.service
        service = lookup.get(_SERVICES, wanted.name, wanted.namespace)
        return availability.check_backing(remote, service, slices_of(lookup, wanted.namespace, wanted.name))

    async def _write(self, name: str, verdict: availability.Verdict) -> None:
        self._unavailability.tell(name, verdict)
        now = rfc3339(self._engine.clock.now())
        written = await rewrite(
            self._engine, self._served, name, "", lambda current: availability.with_verdict(current, verdict, now)
        )
        if written is not None:
            self._learn(decode_stored(written.data))

    async def _registered(self, api_service: Object) -> None:
        """What can be said at once is said before the creator hears of it."""
        self._learn(api_service)
        self._tell()
        remote = remote_of(api_service)
        if remote is None:
            return
        if (verdict := self._check_backing(remote)) is not None:
            with suppress(ApiError, StoreError):  # the queue comes to it
                await self._write(remote.name, verdict)
        self._queue.add(remote.name)

    def _learn(self, api_service: Object) -> None:
        """Takes in an APIService as it is."""
        name, remote = api_service["metadata"]["name"], remote_of(api_service)
        if self._remotes.get(name) != remote:
            self._forget(name)
        if remote is not None:
            self._remotes[name] = remote
            self._endpoints.setdefault(name, self._endpoint(name))
            (self._available.add if is_available(api_service) else self._available.discard)(name)

    def _forget(self, name: str) -> None:
        if self._remotes.pop(name, None) is not None:
            self._available.discard(name)
            self._told.pop(name, None)
            self._endpoints.pop(name, None)
            self._backends.forget(name)
            self._unavailability.forget(name)

    def _tell(self) -> None:
        """Lays the paths and the documents anew."""
        remotes = self._remotes.values()
        told = {(one.group, one.version): self._told.get(one.name, Told()) for one in remotes}
        others = Others(
            order_of(self._engine.lookup.list(API_SERVICES)) if remotes else (),
            {key: found.discovery for key, found in told.items() if found.discovery},
        )
        endpoints = {(one.group, one.version): self._endpoints[one.name] for one in remotes}
        self._server.documents.set_others(others, endpoints)
        self._server.openapi.set_others(
            [(one.path, found) for one in remotes if (found := told[one.group, one.version].v2)],
            {one.place: (link, endpoints[one.group, one.version])
             for one in remotes if (link := told[one.group, one.version].v3_link)},
        )  # fmt: skip

    def _endpoint(self, name: str) -> Endpoint:
        async def answer(ctx: Context) -> Answer:
            return await self.forward(name, ctx.request, ctx.user)

        return answer

    async def _follow(self) -> None:
        async for kind, obj in self._events(API_SERVICES):
            if kind == "DELETED":
                self._forget(obj.name)
            else:
                before = self._remotes.get(obj.name), obj.name in self._available
                self._learn(decode_stored(obj.data))
                after = self._remotes.get(obj.name), obj.name in self._available
                if after != before or (kind == "ADDED" and after[0] is not None):
                    self._queue.add(obj.name)
            self._tell()
            if obj.name not in self._built_in:
                self._queue.add(_REGISTRATION)

    async def _follow_services(self) -> None:
        async for _, obj in self._events(_SERVICES):
            self._backed_by(obj.namespace, obj.name)

    async def _follow_slices(self) -> None:
        async for _, obj in self._events(_SLICES):
            self._backed_by(obj.namespace, obj.labels.get(SERVICE_NAME, ""))

    def _backed_by(self, namespace: str, name: str) -> None:
        for remote in self._remotes.values():
            if (remote.service.namespace, remote.service.name) == (namespace, name):
                self._queue.add(remote.name)

    async def _events(self, resource: resources.Resource) -> AsyncIterator[tuple[str, CachedObject]]:
        while True:
            watcher = self._engine.of(resource).cache.watch_events(initial_events=True)
            try:
                async for batch in watcher:
                    for event in batch:
                        if event.type != "BOOKMARK":
                            yield event.type, event.object
            finally:
                await watcher.aclose()

    async def _resync(self) -> None:
        while True:
            await self._engine.clock.sleep(RESYNC_S)
            for name in self._remotes:
                self._queue.add(name)

    def _custom_changed(self) -> None:
        self._queue.add(_REGISTRATION)

    async def _work(self, name: str) -> None:
        try:
            if name == _REGISTRATION:
                await self._register()
            elif name.startswith(_OPENAPI):
                await self._hear_openapi(name.removeprefix(_OPENAPI))
            else:
                await self.sync(name)
        except (ApiError, StoreError) as fault:
            _log.warning("APIService not synced", name=name, error=fault)
            raise Retry from fault

    async def _register(self) -> None:
        """Makes the APIServices of custom resources what they should be. Raises ApiError, StoreError."""
        if not self._server.leads:
            return
        client = self._server.client
        wanted = registration.custom_services(self._server.documents.custom)
        plan = registration.plan(self._engine.lookup.list(API_SERVICES), wanted, self._built_in)
        with suppress(AlreadyExists, Conflict, NotFound):  # another server was faster: its event brings us back
            for service in plan.create:
                await client.create(API_SERVICES, service)
            for service in plan.update:
                await client.update(API_SERVICES, service)
            for service in plan.delete:
                await client.delete(API_SERVICES, service["metadata"]["name"])


def _stale(known: Told) -> Told:
    """What is known of a server that is away."""
    if known.discovery is None:
        return known
    return Told({**known.discovery, "freshness": "Stale"}, known.v2, known.v2_tag, known.v3_link)
