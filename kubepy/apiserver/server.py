"""The API server as one object: everything below composed, started in order and stopped in reverse.

`handler` answers requests from wherever they come: sockets (`listen`) or the same process (`Client.direct`).
Security is plugged in by a function of this server's look-up, so that a test may leave it out.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kubepy.api import resources
from kubepy.api.errors import ApiError, RequestEntityTooLarge
from kubepy.api.validation.privileged import POD_SPECS
from kubepy.apiserver.aggregation import trust
from kubepy.apiserver.aggregation.aggregator import Aggregator
from kubepy.apiserver.authn.chain import Authenticator as AuthnChain
from kubepy.apiserver.authz.chain import AlwaysAllow, Authorization
from kubepy.apiserver.authz.metrics import AuthorizationMetrics
from kubepy.apiserver.catching_up import SureAuthenticator, SureAuthorizer, catch_up_of
from kubepy.apiserver.config.command_line import ApiServerConfig, parse_port_range
from kubepy.apiserver.config.features import WEBSOCKET_CREATE, is_enabled
from kubepy.apiserver.config.metrics import read_shown
from kubepy.apiserver.endpoints import paths as endpoints
from kubepy.apiserver.endpoints.component_status import component_statuses
from kubepy.apiserver.endpoints.health import Check, Health
from kubepy.apiserver.endpoints.metrics import Metrics
from kubepy.apiserver.endpoints.openapi import OpenApiEndpoints
from kubepy.apiserver.endpoints.paths import Documents
from kubepy.apiserver.endpoints.state_metrics import StateMetrics
from kubepy.apiserver.flowcontrol import dumps
from kubepy.apiserver.flowcontrol.metrics import FlowMetrics
from kubepy.apiserver.http.draining import Draining
from kubepy.apiserver.http.handler import Authenticator, Authorizer, Chain
from kubepy.apiserver.http.overload import Overload
from kubepy.apiserver.http.rendering import respond_error
from kubepy.apiserver.http.routing import Review, Router
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.loops import bootstrap, hooks
from kubepy.apiserver.loops.custom_resources import CustomResources
from kubepy.apiserver.loops.hooks import Hooks
from kubepy.apiserver.loops.kubernetes_service import KubernetesService, advertised_address
from kubepy.apiserver.loops.policy_status import PolicyStatus
from kubepy.apiserver.loops.server_lease import ServerLease
from kubepy.apiserver.loops.services import DefaultServiceCidr, Repairs
from kubepy.apiserver.proxying.kubelets import Kubelets
from kubepy.apiserver.proxying.pod_streams import PodStreams
from kubepy.apiserver.proxying.proxy_endpoints import Proxies
from kubepy.apiserver.registry.engine import Admission, Engine
from kubepy.apiserver.registry.services.addresses import ADDRESSES, AddressAllocator, AddressRange
from kubepy.apiserver.registry.services.allocation import Pools
from kubepy.apiserver.registry.services.ports import PortAllocator
from kubepy.apiserver.registry.strategies.services import ServiceStrategy
from kubepy.apiserver.webhooks.client import WebhookClient
from kubepy.client.client import Client
from kubepy.lib import http_limits, http_server, log, tasks
from kubepy.lib.backoff import Backoff
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.lib.http import Handler, Response
from kubepy.storage import compactor
from kubepy.storage.base import Store, StoreError, Unavailable

_log = log.get(__name__)
SYSTEM_USER = "system:apiserver"
_STALLED_S = 60.0
_AGENT = "kube-apiserver"


@dataclass(slots=True)
class Security:
    """Who asks and what they may; `reviews` answer objects that are not stored, by (group, plural, subresource)."""

    authenticator: Authenticator = field(default_factory=AuthnChain)
    authorizer: Authorizer = field(default_factory=lambda: Authorization([AlwaysAllow()]))
    access_metrics: AuthorizationMetrics = field(default_factory=AuthorizationMetrics)
    admission: Admission | None = None
    reviews: dict[tuple[str, str, str], Review] = field(default_factory=dict)
    documents: dict[str, tuple[Callable[[], bytes], str]] = field(default_factory=dict)
    """Bodies of further paths, with their content types: OpenID discovery."""
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    """What runs beside the server as long as it runs: followers of files."""
    reconcile: Callable[[Client], Any] | None = None
    """Writes the bootstrap policy through a client, when the server has started."""


MakeSecurity = Callable[["ApiServer"], Security]


class ApiServer:
    """See the module's docstring. The store is the caller's to close.

    Of several workers on one port one leads: it alone does what is to be done once, whatever the number of workers.
    """

    def __init__(
        self,
        config: ApiServerConfig,
        store: Store,
        *,
        secure: MakeSecurity | None = None,
        clock: Clock = SYSTEM,
        leads: bool = True,
    ) -> None:
        self.config = config
        self.leads = leads
        self.store = store
        self.engine = Engine(store, clock=clock)
        self._configure()
        self.lookup: Lookup = self.engine.lookup
        self.webhooks = self.engine.webhooks = WebhookClient(self.lookup)
        self.metrics = Metrics(read_shown(config))
        self.router = Router(self.engine)
        self.security = secure(self) if secure is not None else Security()
        self.engine.admission = self.security.admission
        self.router.reviews.update(self.security.reviews)
        catch_up = catch_up_of(self.engine)
        self._chain = Chain(
            SureAuthenticator(self.security.authenticator, catch_up),
            SureAuthorizer(self.security.authorizer, catch_up, self.security.access_metrics),
            self.router.route,
            clock,
            self.metrics,
        )
        self._chain.remotes = self.router.remotes
        self.overload = Overload(config, self.engine, clock)
        self._chain.limiter, self._chain.deadlines = self.overload.limiter, self.overload.deadlines
        self.handler: Handler = self._chain.handle
        self.client = Client.direct(self.handler, bootstrap.SYSTEM, agent=_AGENT)
        self._clock = clock
        self.pools = self._make_pools()
        self.hooks = Hooks(fair=self.overload.flow is not None)
        self._is_retiring = False
        self._scope = tasks.Scope()
        self._servers: list[http_server.Server] = []
        self._draining: list[Draining] = []
        self.documents = Documents(self.router, self._address)
        self.openapi = OpenApiEndpoints(self.documents)
        cidrs = [str(AddressRange(text).network) for text in config.service_cluster_ip_range]
        self._service_cidr = DefaultServiceCidr(self.client, self.lookup, clock, cidrs)
        self._repairs = Repairs(self.client, self.lookup, clock, self.pools.ports)
        self._measure()
        self._install()

    def _measure(self) -> None:
        self.metrics.registry.register(StateMetrics(self.engine))
        self.metrics.registry.register(self.engine.conversion_metrics)
        if self.overload.flow is not None:
            self.metrics.registry.register(FlowMetrics(self.overload.flow.levels))

    def _configure(self) -> None:
        config = self.config
        self.engine.of(resources.named("events")).strategy.ttl_s = int(config.event_ttl_s)
        if not config.allow_privileged:
            for (group, plural), path in POD_SPECS.items():
                self.engine.of(resources.named(plural, group)).strategy.unprivileged = path
        self.engine.min_request_timeout_s = config.min_request_timeout

    def _make_pools(self) -> Pools:
        """What Services are given from; the IPAddress objects are written as the server itself."""
        addresses = self.engine.of(ADDRESSES)

        def is_taken(name: str) -> bool:
            return addresses.cache.get(addresses.key("", name)) is not None

        pools = Pools(
            [AddressRange(text).family for text in self.config.service_cluster_ip_range],
            AddressAllocator(self.lookup, self.client, is_taken),
            PortAllocator(self.store, *_port_range(self.config.service_node_port_range)),
        )
        strategy = self.engine.of(resources.named("services")).strategy
        assert isinstance(strategy, ServiceStrategy)
        strategy.pools = pools
        return pools

    def _install(self) -> None:
        endpoints.install(self.router, self.metrics)
        if self.overload.flow is not None:
            dumps.install(self.router, self.overload.flow.levels)
        self.openapi.install(self.router)
        for path, (render, content_type) in self.security.documents.items():
            self.router.paths[path] = endpoints.rendered(render, content_type)
        kubelets = Kubelets(self.config, self.lookup)
        asked = self._chain.authorizer if is_enabled(self.config.feature_gates, WEBSOCKET_CREATE) else None
        PodStreams(self.engine, self.engine.of(resources.named("pods")), kubelets, asked).install(self.router)
        Proxies(self.engine, kubelets).install(self.router)
        self.router.virtual["", "componentstatuses"] = component_statuses(self)
        Health(
            [
                Check("ping", _fine),
                Check("log", _fine),
                Check("etcd", partial(self._ask_store, self.config.etcd_healthcheck_timeout_s)),
                Check("etcd-readiness", partial(self._ask_store, self.config.etcd_readycheck_timeout_s), ("readyz",)),
                Check("informer-sync", self._ask_caches, ("readyz",)),
                *self.hooks.checks(),
                Check("shutdown", self._ask_shutdown, ("readyz",)),
            ],
            livez_grace_s=self.config.livez_grace_period_s,
        ).install(self.router)

    async def start(self) -> None:
        """Returns when the caches can be read; what is bootstrapped may still be under way (see /readyz)."""
        await self.engine.start()
        self.hooks.done(hooks.INFORMERS)
        custom = CustomResources(self)
        await custom.start()
        self.hooks.done(hooks.DEFINITIONS)
        aggregator = Aggregator(self)
        await aggregator.start()
        self.hooks.done(hooks.EXTENSIONS)
        self._scope.start(custom.run(), name="custom resources")
        self._scope.start(aggregator.run(), name="aggregator")
        for run in self.security.background:
            self._scope.start(run(), name="security")
        self._scope.start(self.overload.run(self.client if self.leads else None), name="overload")
        self.hooks.done(hooks.SEATS)
        if self.leads:
            self._start_leading()
        else:
            self.hooks.all_done()

    def _start_leading(self) -> None:
        """What one process of a server does for all its workers."""
        self._scope.start(PolicyStatus(self.engine).run(), name="policy status")
        self._scope.start(self._run_hooks(), name="post-start hooks")
        compacting = compactor.run(
            self.engine.store, interval_s=self.config.etcd_compaction_interval_s, clock=self.engine.clock
        )
        self._scope.start(compacting, name="compactor")

    async def _run_hooks(self) -> None:
        """Makes what a cluster begins with; a store that is away is waited for."""
        backoff = Backoff(0.5, 10.0)
        while True:
            try:
                service = await self._bootstrap()
                break
            except (ApiError, StoreError) as fault:
                _log.warning("bootstrap not finished", error=fault)
                await self._clock.sleep(backoff.next())
        self._scope.start(service.run(), name="kubernetes service")
        self._scope.start(trust.run(self.client, self.config, self._clock), name="trust for extension servers")
        self._scope.start(self._service_cidr.run(), name="default ServiceCIDR")
        self._scope.start(self._repairs.run(), name="repairs of Services")
        self._scope.start(ServerLease(self.client, self._clock).run(), name="server lease")
        self.hooks.done(hooks.SERVICES)
        _log.info("ready")

    async def _bootstrap(self) -> KubernetesService:
        await bootstrap.run(self)
        await self._service_cidr.sync()
        await self._repairs.sync()
        config = self.config
        reconciles = config.endpoint_reconciler_type != "none"
        service = KubernetesService(
            self.client,
            self.store,
            self._clock,
            address=advertised_address(config.advertise_address, config.bind_address) if reconciles else None,
            port=self._port(),
        )
        first = AddressRange(config.service_cluster_ip_range[0]).first
        await service.ensure_service(first, config.kubernetes_service_node_port)
        return service

    async def wait_ready(self) -> None:
        """Returns when everything that the server makes at its start is there."""
        await self.hooks.wait()

    async def listen(
        self,
        host: str | None,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        handler: Handler | None = None,
        sockets: Sequence[socket.socket] | None = None,
    ) -> http_server.Server:
        """Serves on a socket too, or on `sockets` that are bound already; closed by `stop`."""
        answering = handler or self.handler
        if self.config.shutdown_send_retry_after:
            self._draining.append(Draining(answering))
            answering = self._draining[-1].handle
        limits = http_limits.Limits(reads_ahead=False, stalled_s=self.config.request_timeout_s or _STALLED_S)
        server = await http_server.serve(
            answering,
            host=host,
            port=port,
            tls=tls,
            sockets=sockets,
            shares_port=self.config.permit_port_sharing,
            limits=limits,
            too_large=_too_large,
        )
        self._servers.append(server)
        return server

    async def retire(self) -> None:
        """Says that it is not ready any more, and goes on serving until who balances load has had time to notice."""
        self._is_retiring = True
        if self._servers and self.config.shutdown_delay_duration_s:
            await self._clock.sleep(self.config.shutdown_delay_duration_s)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Stops accepting, ends watches, lets requests in flight finish, then lets go of the caches."""
        await asyncio.gather(*(draining.drain(grace_s) for draining in self._draining))
        spread_s = self.config.shutdown_watch_termination_grace_period_s
        await asyncio.gather(*(server.close(grace_s, spread_s=spread_s) for server in self._servers))
        await self._scope.close()
        await self.webhooks.close()
        await self.engine.stop()

    def _port(self) -> int:
        return self._servers[0].port if self._servers else self.config.secure_port

    def _address(self) -> str:
        config = self.config
        return f"{advertised_address(config.advertise_address, config.bind_address) or '127.0.0.1'}:{self._port()}"

    async def _ask_store(self, within_s: float) -> str:
        try:
            async with asyncio.timeout(within_s):
                await self.store.ping()
        except (Unavailable, TimeoutError) as fault:
            return f"etcd failed: {fault}"
        return ""

    async def _ask_caches(self) -> str:
        return "" if self.engine.is_ready else "caches are not synced"

    async def _ask_shutdown(self) -> str:
        return "process is shutting down" if self._is_retiring else ""


def _port_range(found: object) -> tuple[int, int]:
    # The field's default is the flag's text; a configuration that was read has numbers.
    return parse_port_range(found) if isinstance(found, str) else found  # type: ignore[return-value]


async def _fine() -> str:
    return ""


def _too_large(limit: int) -> Response:
    return respond_error(RequestEntityTooLarge(f"Request entity too large: limit is {limit}"))
