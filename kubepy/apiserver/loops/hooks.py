"""What a server does once at its start, step by step: each has upstream's name, and a health check that tells whether
it is done.

Several names may stand for one step: upstream starts a controller for each, and clients look for all of them.
Source: apiserver pkg/server/hooks.go; who adds them: pkg/controlplane, apiextensions-apiserver, kube-aggregator.
"""

import asyncio
from collections.abc import Iterable
from functools import partial

from kubepy.apiserver.endpoints.health import Check

INFORMERS = (
    "start-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "storage-object-count-tracker-hook",
    "start-apiextensions-informers",
    "start-kube-aggregator-informers",
)
"""The caches are read."""
DEFINITIONS = ("start-apiextensions-controllers", "crd-informer-synced")
"""The stored definitions are served."""
EXTENSIONS = (
    "aggregator-reload-proxy-client-cert",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-discovery-controller",
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
)
"""The stored APIServices are followed."""
SEATS = ("priority-and-fairness-config-consumer", "priority-and-fairness-filter")
"""Requests are given seats as the stored levels say."""
NAMESPACES = ("start-system-namespaces-controller",)
PRIORITIES = ("scheduling/bootstrap-system-priority-classes",)
REGISTRATION = ("kube-apiserver-autoregistration",)
LEVELS = ("priority-and-fairness-config-producer",)
POLICY = ("rbac/bootstrap-roles",)
SERVICES = (
    "start-kubernetes-service-cidr-controller",
    "start-service-ip-repair-controllers",
    "bootstrap-controller",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
)
"""The Service `kubernetes` is there, and what runs beside requests has begun."""
_AT_EVERY_START = (INFORMERS, DEFINITIONS, EXTENSIONS)
_FAIRNESS = (SEATS, LEVELS)
_ONCE = (NAMESPACES, POLICY, PRIORITIES, SERVICES, REGISTRATION)
_COMPLETION = "autoregister-completion"
"""Upstream has this one outside of its hooks: it is fine when the server's own APIServices are registered."""


class Hooks:
    """The steps that are not done yet; with `fair`, those of priority and fairness among them."""

    def __init__(self, *, fair: bool) -> None:
        steps = (*_AT_EVERY_START, *_ONCE, *(_FAIRNESS if fair else ()))
        self._names = tuple(name for step in steps for name in step)
        self._open = set(self._names)
        self._all_done = asyncio.Event()

    def done(self, *steps: Iterable[str]) -> None:
        """These are done."""
        self._open.difference_update(*steps)
        if not self._open:
            self._all_done.set()

    def all_done(self) -> None:
        """All are: another process has done what is done once."""
        self.done(self._names)

    async def wait(self) -> None:
        """Returns when all are done."""
        await self._all_done.wait()

    def checks(self) -> list[Check]:
        """One a name."""
        found = [Check(f"poststarthook/{name}", partial(self._ask, name)) for name in self._names]
        return [*found, Check(_COMPLETION, partial(self._ask, *REGISTRATION))]

    async def _ask(self, name: str) -> str:
        return "not finished" if name in self._open else ""
