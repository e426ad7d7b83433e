"""Leader election by a Lease: of several candidates one leads, and stops before another may start.

Invariant: a leader that could not renew for `renew_deadline_s` stops leading, and no other candidate takes over
before `lease_s` have passed since it saw the last renewal, so with `renew_deadline_s < lease_s` two never lead at
once. A candidate times leases by its own clock, from when it saw them change. Source: client-go tools/leaderelection.
"""

import asyncio
import math
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.client import Client, Object
from kubepy.client.transport import Unreachable
from kubepy.lib import log, tasks
from kubepy.lib.clock import SYSTEM, Clock, rfc3339_micro
from kubepy.lib.flags import Flag

_log = log.get(__name__)
_LEASES = resources.named("leases", "coordination.k8s.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTiming:
    """Upstream's defaults for its control plane, in seconds."""

    lease_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0


class LeadershipLost(Exception):
    """The lease could not be renewed in time."""


class LeaderElector:
    """A candidate for the Lease `namespace/name`."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        timing: LeaseTiming | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing or LeaseTiming()
        self._clock = clock
        self._seen: Object | None = None
        self._seen_at = 0.0

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Waits for the lease, then leads until cancelled. Raises LeadershipLost, after `lead` was cancelled."""
        await self._acquire()
        _log.info("leading", lease=self._name, identity=self._identity)

        async def leading() -> None:
            await lead()

        work = tasks.spawn(leading(), name=f"lead-{self._name}")
        renewal = tasks.spawn(self._renew(), name=f"renew-{self._name}")
        try:
            done, _ = await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await tasks.cancel(work, renewal)
            await self._release()

    async def _acquire(self) -> None:
        while not await self._try():
            await self._clock.sleep(self._timing.retry_s)

    async def _renew(self) -> None:
        renewed_at = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._timing.retry_s)
            try:
                async with asyncio.timeout(self._timing.renew_deadline_s):
                    renewed = await self._try()
            except TimeoutError:
                renewed = False
            now = self._clock.monotonic()
            if renewed:
                renewed_at = now
            elif now - renewed_at > self._timing.renew_deadline_s:
                raise LeadershipLost(f"lease {self._namespace}/{self._name} not renewed for {now - renewed_at:.0f} s")

    async def _try(self) -> bool:
        try:
            return await self._take()
        except (errors.Conflict, errors.AlreadyExists):
            return False
        except (errors.ApiError, Unreachable) as error:
            _log.warning("lease not reached", lease=self._name, error=str(error))
            return False

    async def _take(self) -> bool:
        now = rfc3339_micro(self._clock.now())
        try:
            lease = await self._client.get(_LEASES, self._name, self._namespace)
        except errors.NotFound:
            spec = self._spec(now, now, 0)
            body = {"apiVersion": _LEASES.api_version, "kind": "Lease", "metadata": {"name": self._name}, "spec": spec}
            self._note(await self._client.create(_LEASES, body, self._namespace))
            return True
        if self._seen is None or self._seen["spec"] != lease.get("spec"):
            self._note(lease)
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity")
        mine = holder == self._identity
        if holder and not mine and self._clock.monotonic() - self._seen_at < self._timing.lease_s:
            return False
        since = spec.get("acquireTime", now) if mine else now
        transitions = spec.get("leaseTransitions", 0) + (0 if mine else 1)
        self._note(await self._client.update(_LEASES, {**lease, "spec": self._spec(since, now, transitions)}))
        return True

    def _note(self, lease: Object) -> None:
        self._seen, self._seen_at = {"spec": {}, **lease}, self._clock.monotonic()

    def _spec(self, acquired: str, renewed: str, transitions: int) -> Object:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._timing.lease_s),
            "acquireTime": acquired,
            "renewTime": renewed,
            "leaseTransitions": transitions,
        }

    async def _release(self) -> None:
        """Lets the next candidate in at once; the lease runs out by itself where that fails."""
        lease = self._seen
        if lease is None or lease["spec"].get("holderIdentity") != self._identity:
            return
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            async with asyncio.timeout(self._timing.retry_s):
                await self._client.update(_LEASES, {**lease, "spec": spec})
        except (errors.ApiError, Unreachable, TimeoutError) as error:
            _log.debug("lease not released", lease=self._name, error=str(error))


def flags(name: str) -> Sequence[Flag]:
    """The flags of a daemon that elects a leader by the Lease `name`."""
    return (
        Flag("leader-elect", "bool", True, "Elect a leader among several processes."),
        Flag("leader-elect-lease-duration", "duration", 15.0, "Time a lease is honoured without renewal."),
        Flag("leader-elect-renew-deadline", "duration", 10.0, "Time in which a leader must renew."),
        Flag("leader-elect-retry-period", "duration", 2.0, "Time between two tries."),
        Flag("leader-elect-resource-lock", "string", "leases", "Kind of the lock; leases is the only one."),
        Flag("leader-elect-resource-name", "string", name, "Name of the Lease."),
        Flag("leader-elect-resource-namespace", "string", "kube-system", "Namespace of the Lease."),
    )


def flag_faults(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the values of those flags."""
    faults = []
    if values["leader-elect-renew-deadline"] >= values["leader-elect-lease-duration"]:
        faults.append("--leader-elect-renew-deadline must be less than --leader-elect-lease-duration")
    if values["leader-elect-retry-period"] >= values["leader-elect-renew-deadline"]:
        faults.append("--leader-elect-retry-period must be less than --leader-elect-renew-deadline")
    if values["leader-elect-resource-lock"] != "leases":
        faults.append("--leader-elect-resource-lock must be leases")
    return faults


async def lead_or_run(client: Client, values: Mapping[str, Any], lead: Callable[[], Awaitable[None]]) -> None:
    """Calls `lead`: at once without `--leader-elect`, else when the lease is ours."""
    if not values["leader-elect"]:
        await lead()
        return
    elector = LeaderElector(
        client,
        values["leader-elect-resource-namespace"],
        values["leader-elect-resource-name"],
        f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4()}",
        timing=LeaseTiming(
            lease_s=values["leader-elect-lease-duration"],
            renew_deadline_s=values["leader-elect-renew-deadline"],
            retry_s=values["leader-elect-retry-period"],
        ),
    )
    await elector.run(lead)
