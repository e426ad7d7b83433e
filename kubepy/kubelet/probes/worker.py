"""Repeat the probes of one pod's running containers and keep their results.

Invariants: liveness and readiness wait for the startup probe; a result changes only after successThreshold or
failureThreshold outcomes in a row; a container that has ended is probed no more. The first attempt comes as soon as
initialDelaySeconds allow. Until a readiness or startup probe has succeeded once it is repeated faster than its period
(from 0.1 s, doubling; such failures do not count), because a pod that is just opening its port should not wait ten
seconds to be found.
Source: pkg/kubelet/prober/worker.go.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from kubepy.kubelet.probes.prober import Outcome, Prober, Target
from kubepy.kubelet.runtime.base import ContainerStatus
from kubepy.lib import tasks
from kubepy.lib.clock import Clock

Object = dict[str, Any]

KINDS = ("startup", "liveness", "readiness")
_EAGER_FIRST_S = 0.1


class PodProbes:
    """The probes of one pod. `on_change` is called when a result changes; `on_failure` for each failed attempt."""

    def __init__(
        self,
        prober: Prober,
        clock: Clock,
        *,
        on_change: Callable[[], None],
        on_failure: Callable[[str, str, str], None],
    ) -> None:
        self._prober = prober
        self._clock = clock
        self._on_change = on_change
        self._on_failure = on_failure
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.results: dict[str, dict[str, bool]] = {kind: {} for kind in KINDS}
        self.attempts: dict[tuple[str, str, str], int] = {}
        """How many attempts had an outcome: (container, kind, successful|failed)."""

    def reconcile(self, running: Iterable[tuple[ContainerStatus, Target]]) -> None:
        """Probes exactly these containers from now on."""
        wanted: set[tuple[str, str]] = set()
        for status, target in running:
            for kind in KINDS:
                if spec := target.container.get(f"{kind}Probe"):
                    key = (status.id, kind)
                    wanted.add(key)
                    if key not in self._tasks:
                        self._tasks[key] = tasks.spawn(
                            self._repeat(kind, spec, target, status), name=f"{kind} probe {status.name}"
                        )
        for key in self._tasks.keys() - wanted:
            self._tasks.pop(key).cancel()

    async def close(self) -> None:
        await tasks.cancel(*self._tasks.values())
        self._tasks.clear()

    async def _repeat(self, kind: str, spec: Object, target: Target, status: ContainerStatus) -> None:
        await self._initial_delay(spec, status)
        period_s = float(spec.get("periodSeconds") or 10)
        eager_s = _EAGER_FIRST_S
        streak = 0
        last: bool | None = None
        while True:
            if kind != "startup" and not self._is_started(target, status.id):
                await self._clock.sleep(min(period_s, 0.1))
                continue
            outcome = await self._prober.attempt(spec, target, float(spec.get("timeoutSeconds") or 1))
            if not outcome.ok and kind != "liveness" and status.id not in self.results[kind] and eager_s < period_s:
                await self._clock.sleep(eager_s)  # a hasty attempt that fails does not count
                eager_s *= 2
                continue
            streak = streak + 1 if outcome.ok == last else 1
            last = outcome.ok
            self._note(kind, spec, target, (status.id, outcome, streak))
            if kind == "startup" and self.results["startup"].get(status.id) is True:
                return
            await self._clock.sleep(period_s)

    async def _initial_delay(self, spec: Object, status: ContainerStatus) -> None:
        delay_s = float(spec.get("initialDelaySeconds") or 0)
        if delay_s and status.started_at:
            gone = (self._clock.now() - status.started_at).total_seconds()
            if gone < delay_s:
                await self._clock.sleep(delay_s - gone)

    def _is_started(self, target: Target, container_id: str) -> bool:
        return not target.container.get("startupProbe") or self.results["startup"].get(container_id) is True

    def _note(self, kind: str, spec: Object, target: Target, seen: tuple[str, Outcome, int]) -> None:
        container_id, outcome, streak = seen
        name = target.container["name"]
        tally = (name, kind, "successful" if outcome.ok else "failed")
        self.attempts[tally] = self.attempts.get(tally, 0) + 1
        if not outcome.ok:
            self._on_failure(name, kind, outcome.message)
        threshold = int(spec.get("successThreshold") or 1) if outcome.ok else int(spec.get("failureThreshold") or 3)
        if streak < threshold or self.results[kind].get(container_id) is outcome.ok:
            return
        if not outcome.ok and kind == "readiness" and container_id not in self.results[kind]:
            return  # unready is what it was
        self.results[kind][container_id] = outcome.ok
        self._on_change()
