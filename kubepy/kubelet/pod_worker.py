"""One pod of this node: look, decide (plan.py), act, tell (status.py); woken by whatever changes.

Invariants: only this worker asks the runtime for snapshots of its containers, so none gets older; the loop itself never
waits for something slow: starting, killing and mounting are tasks of their own, named in `busy` until they are done;
the pod is deleted from the API only when nothing of it runs here any more and its volumes are gone.
Source: pkg/kubelet/pod_workers.go; pkg/kubelet/kubelet.go SyncPod, SyncTerminatingPod, SyncTerminatedPod.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.transport import Unreachable
from kubepy.kubelet import plan
from kubepy.kubelet.container_spec import ConfigFault
from kubepy.kubelet.containers import (
    Setting,
    StartFault,
    kill_container,
    link_logs,
    run_hook,
    start_container,
    teller,
    termination_message,
    unlink_logs,
)
from kubepy.kubelet.plan import Delay, Hold, Kill, Known, MakeSandbox, Observed, Start, StopSandbox
from kubepy.kubelet.podspec import (
    container_named,
    full_name,
    grace_period_s,
    is_mirror,
    is_static,
    is_terminal,
    uid_of,
)
from kubepy.kubelet.probes.prober import Target
from kubepy.kubelet.probes.worker import PodProbes
from kubepy.kubelet.qos import limits_of
from kubepy.kubelet.runtime.base import ContainerStatus, RuntimeFault, SandboxStatus, State
from kubepy.kubelet.sandboxes import make_sandbox, stop_sandbox
from kubepy.kubelet.services import NodeServices
from kubepy.kubelet.status import Facts, Waiting, pod_status
from kubepy.kubelet.volumes.base import VolumeFault
from kubepy.lib import log, tasks
from kubepy.lib.backoff import Backoff
from kubepy.lib.clock import parse_rfc3339
from kubepy.network.cni import CniError

Object = dict[str, Any]

_PODS = resources.named("pods")
_RESYNC_S = 60.0
_OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
_FAULTS = (RuntimeFault, CniError, VolumeFault, errors.ApiError, Unreachable, OSError)
_log = log.get(__name__)


class PodWorker:
    """See the module. `run` ends when the pod is gone from here and from the API."""

    def __init__(self, pod: Object, services: NodeServices, containers: Iterable[str] = ()) -> None:
        self.pod = pod
        self.uid = uid_of(pod)
        self.sandboxes: dict[str, SandboxStatus] = {}
        self.containers: dict[str, ContainerStatus] = {}
        self._services = services
        self._dirty = set(containers)
        self._wake = asyncio.Event()
        self._wake.set()
        self._work: dict[str, asyncio.Task[None]] = {}
        self._killing: dict[str, float] = {}
        self._interruptible: set[str] = set()
        self._delays: dict[str, Delay] = {}
        self._waiting: dict[str, Waiting] = {}
        self._held: dict[str, float] = {}
        self._messages: dict[str, str] = {}
        self._volumes: dict[str, Path] | None = None
        self._volumes_stale = False
        self._failed: tuple[str, str] | None = None
        self._removed = False
        self._cleaned = False
        self._next_wake: datetime | None = None
        self._mount_backoff = Backoff(0.5, 30.0)
        self._sandbox_backoff = Backoff(0.5, 10.0)
        self._created = services.clock.monotonic()
        self._reported_start = False
        self.probes = PodProbes(
            services.prober, services.clock, on_change=self._wake.set, on_failure=self._tell_unhealthy
        )

    # What others tell

    def update(self, pod: Object) -> None:
        """The pod changed in the API."""
        changed_spec = pod["spec"] != self.pod["spec"] or pod["metadata"] != self.pod["metadata"]
        self.pod = pod
        if changed_spec:
            self._held.clear()
            self._volumes_stale = True
        self._wake.set()

    def remove(self, pod: Object | None = None) -> None:
        """The pod is gone from the API (or from the folder of static pods)."""
        if pod is not None:
            self.pod = pod
        self._removed = True
        self._wake.set()

    def give_up(self, reason: str, message: str) -> None:
        """The kubelet ends the pod: evicted, past its deadline, not admitted."""
        if self._failed is None:
            self._failed = (reason, message)
            self._wake.set()

    def touched(self, container_id: str) -> None:
        """The runtime says that something happened to this container."""
        self._dirty.add(container_id)
        self._wake.set()

    def refresh(self) -> None:
        """An object that the pod refers to changed."""
        self._volumes_stale = True
        self._held.clear()
        self._mount_backoff.reset()
        self._wake.set()

    @property
    def observed(self) -> Observed:
        return plan.observe(self.sandboxes.values(), self.containers.values())

    @property
    def is_ending(self) -> bool:
        """Whether everything is to be stopped."""
        status = self._services.statuses.get(self.uid) or self.pod.get("status") or {}
        return bool(
            self._removed or self._failed or self.pod["metadata"].get("deletionTimestamp") or is_terminal(status)
        )

    # The loop

    async def run(self) -> None:
        """Until the pod is gone."""
        retry = Backoff(0.2, 10.0)
        try:
            while True:
                self._wake.clear()
                try:
                    if await self._sync():
                        return
                    retry.reset()
                    timeout_s = self._timeout_s()
                except _FAULTS as fault:
                    _log.warning("sync failed", pod=full_name(self.pod), why=str(fault))
                    timeout_s = retry.next()
                try:
                    async with asyncio.timeout(timeout_s):  # wait_for may swallow a cancellation
                        await self._wake.wait()
                    await asyncio.sleep(0)  # an event that is set already does not let others run
                except TimeoutError:
                    continue
        finally:
            await self.probes.close()
            await tasks.cancel(*self._work.values())

    def _timeout_s(self) -> float:
        now = self._services.clock.now()
        moments = [self._next_wake, self._services.tokens.next_renewal(self.uid)]
        waits = [(m - now).total_seconds() for m in moments if m is not None]
        waits += [until - self._services.clock.monotonic() for until in self._held.values()]
        return max(min([_RESYNC_S, *waits]), 0.01)

    async def _sync(self) -> bool:
        """One turn; True when there is nothing left to live for."""
        self._services.metrics.syncs += 1
        await self._look()
        now = self._services.clock.now()
        self._next_wake = None
        self._check_deadline(now)
        if self.is_ending:
            await self._interrupt()
            actions = plan.terminate(self.pod, self.observed, self._known())
            self._hurry_kills()
        else:
            self._keep_volumes(now)
            actions = plan.sync(self.pod, self.observed, self._known(), now)
            self._resize()
        for action in actions:
            self._carry_out(action)
        self._probe()
        self._publish()
        if self.is_ending and plan.is_finished(self.observed, self._known()):
            return await self._finish()
        self._collect()
        return False

    async def _look(self) -> None:
        """New snapshots of what changed."""
        dirty, self._dirty = self._dirty, set()
        found = await asyncio.gather(*(self._services.runtime.inspect(i) for i in dirty), return_exceptions=True)
        faults: list[BaseException] = []
        for container_id, status in zip(dirty, found, strict=True):
            if isinstance(status, BaseException):
                self._dirty.add(container_id)
                faults.append(status)
                continue
            await self._note(container_id, status)
        if faults:
            raise faults[0]

    async def _note(self, container_id: str, status: ContainerStatus | SandboxStatus | None) -> None:
        if status is None:
            self.containers.pop(container_id, None)
            self.sandboxes.pop(container_id, None)
        elif isinstance(status, SandboxStatus):
            if "sandbox" in self._work and container_id not in self.sandboxes:
                return  # still being made: it counts once its network is set up
            ips = self._services.cni.known_addresses(status.id)
            usable = status.host_network or bool(ips)
            self.sandboxes[container_id] = replace(status, ips=ips, ready=status.ready and usable)
        else:
            before = self.containers.get(container_id)
            self.containers[container_id] = status
            if status.state is State.EXITED and (before is None or before.state is not State.EXITED):
                container = container_named(self.pod, status.name)
                if container is not None:
                    self._messages[container_id] = await termination_message(
                        self._services, self.pod, container, status
                    )

    def _known(self) -> Known:
        clock = self._services.clock.monotonic()
        self._held = {name: until for name, until in self._held.items() if until > clock}
        return Known(
            liveness=self.probes.results["liveness"],
            startup=self.probes.results["startup"],
            delays=self._delays,
            busy=frozenset(self._work),
            held=frozenset(self._held),
            ready=self._volumes is not None and "sandbox" not in self._work,
        )

    def _check_deadline(self, now: datetime) -> None:
        started = (self.pod.get("status") or {}).get("startTime")
        end = plan.deadline(self.pod, parse_rfc3339(started) if started else None)
        if end is None:
            return
        if now >= end and not self.is_ending:
            message = "Pod was active on the node longer than the specified deadline"
            self._services.recorder.event(self.pod, "Normal", "DeadlineExceeded", message)
            self.give_up("DeadlineExceeded", message)
        elif now < end:
            self._wake_at(end)

    def _wake_at(self, moment: datetime) -> None:
        if self._next_wake is None or moment < self._next_wake:
            self._next_wake = moment

    # Acting

    def _launch(self, key: str, work: Awaitable[None], *, interruptible: bool = False) -> None:
        async def body() -> None:
            try:
                await work
            except _FAULTS as fault:
                _log.warning("step failed", pod=full_name(self.pod), step=key, why=str(fault))
                self._held[key] = self._services.clock.monotonic() + 1.0
            finally:
                self._work.pop(key, None)
                self._interruptible.discard(key)
                self._killing.pop(key, None)
                self._wake.set()

        if interruptible:
            self._interruptible.add(key)
        self._work[key] = tasks.spawn(body(), name=f"{key} of {full_name(self.pod)}")

    async def _interrupt(self) -> None:
        """Ends what was begun for a pod that is no longer to run and may take long: mounting, pulling."""
        waiting = [self._work[key] for key in self._interruptible if key in self._work]
        await tasks.cancel(*waiting)

    def _carry_out(self, action: plan.Action) -> None:
        match action:
            case MakeSandbox(attempt):
                if "sandbox" not in self._held:
                    self._launch("sandbox", self._make_sandbox(attempt))
            case StopSandbox(sandbox_id):
                if "sandbox" not in self._held:
                    self._launch("sandbox", self._stop_sandbox(sandbox_id))
            case Start(name, attempt, delay):
                container = container_named(self.pod, name)
                if container is not None:
                    if delay is not None:
                        self._delays[name] = delay
                    self._launch(name, self._start(container, attempt), interruptible=True)
            case Kill(container_id, name, why, grace_s):
                self._begin_kill(container_id, name, why, grace_s)
            case Hold(name, until, _, message):
                self._hold(name, until, message)

    def _hold(self, name: str, until: datetime, message: str) -> None:
        self._wake_at(until)
        if self._waiting.get(name) != Waiting("CrashLoopBackOff", message):
            self._waiting[name] = Waiting("CrashLoopBackOff", message)
            container = container_named(self.pod, name)
            if container is not None:
                text = f"Back-off restarting failed container {name} in pod {full_name(self.pod)}({self.uid})"
                teller(self._services, self.pod, container)("Warning", "BackOff", text)

    async def _make_sandbox(self, attempt: int) -> None:
        for old in list(self.sandboxes.values()):
            await stop_sandbox(self._services, old, self.pod)
            self.sandboxes[old.id] = replace(old, ready=False)
        try:
            made = await make_sandbox(self._services, self.pod, attempt)
        except (RuntimeFault, CniError, ConfigFault) as fault:
            self._services.recorder.event(
                self.pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {fault}"
            )
            self._held["sandbox"] = self._services.clock.monotonic() + self._sandbox_backoff.next()
            if isinstance(fault, ConfigFault):
                self.give_up("SysctlForbidden" if "sysctl" in str(fault) else "ConfigError", str(fault))
            return
        self._sandbox_backoff.reset()
        self.sandboxes[made.id] = made

    async def _stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self.sandboxes[sandbox_id]
        await stop_sandbox(self._services, sandbox, self.pod)
        self.sandboxes[sandbox_id] = replace(sandbox, ready=False)

    async def _start(self, container: Object, attempt: int) -> None:
        name = container["name"]
        sandbox = self.observed.sandbox
        if sandbox is None or self._volumes is None:
            return
        aimed_at = self.observed.newest(container.get("targetContainerName") or "")
        setting = Setting(
            pod=self.pod,
            sandbox=sandbox,
            volumes=self._volumes,
            target_container_id=aimed_at.id if aimed_at else "",
        )

        def created(container_id: str) -> None:
            self._interruptible.discard(name)
            self._dirty.add(container_id)

        try:
            container_id = await start_container(self._services, setting, container, attempt, created)
        except StartFault as fault:
            self._waiting[name] = Waiting(fault.reason, str(fault))
            self._held[name] = self._services.clock.monotonic() + fault.retry_s
            failures = self._services.metrics.start_failures
            failures[fault.reason] = failures.get(fault.reason, 0) + 1
            return
        self._interruptible.discard(name)
        self._services.metrics.started_containers += 1
        self._waiting.pop(name, None)
        status = await self._services.runtime.inspect(container_id)
        await self._note(container_id, status)
        if isinstance(status, ContainerStatus):
            await self._after_start(container, status)

    async def _after_start(self, container: Object, status: ContainerStatus) -> None:
        await asyncio.to_thread(link_logs, status)
        if not (container.get("lifecycle") or {}).get("postStart"):
            return
        self._wake.set()
        failure = await run_hook(self._services, self._target(status, container), "postStart", 3600.0)
        if failure:
            tell = teller(self._services, self.pod, container)
            tell("Warning", "FailedPostStartHook", f"PostStartHook failed: {failure}")
            self._waiting[container["name"]] = Waiting("PostStartHookError", failure)
            await self._services.runtime.stop(status.id, grace_period_s(self.pod))
            self._dirty.add(status.id)

    def _target(self, status: ContainerStatus, container: Object) -> Target:
        sandbox = self.sandboxes.get(status.sandbox_id) or self.observed.sandbox
        ips: Sequence[str] = sandbox.ips if sandbox else ()
        if self.pod["spec"].get("hostNetwork"):
            ips = self._services.host_ips
        env = {e["name"]: e["value"] for e in container.get("env") or [] if e.get("value")}
        return Target(id=status.id, container=container, pod_ip=ips[0] if ips else "", env=env)

    def _begin_kill(self, container_id: str, name: str, why: str, grace_s: int | None) -> None:
        grace = float(grace_period_s(self.pod) if grace_s is None else grace_s)
        status = self.containers[container_id]
        container = container_named(self.pod, name) or {"name": name}
        tell = teller(self._services, self.pod, container)
        tell("Normal", "Killing", why)
        self._killing[container_id] = self._services.clock.monotonic() + grace
        self._launch(container_id, self._kill(self._target(status, container), grace, tell))

    async def _kill(self, target: Target, grace_s: float, tell: Callable[..., None]) -> None:
        await kill_container(self._services, target, grace_s, tell)
        self._dirty.add(target.id)

    def _hurry_kills(self) -> None:
        """A deletion with a shorter grace period overtakes kills that are under way."""
        due = self._services.clock.monotonic() + grace_period_s(self.pod)
        for container_id, until in list(self._killing.items()):
            if due < until - 1 and container_id in self.containers:
                self._killing[container_id] = due
                _log.info("killing sooner", pod=full_name(self.pod), container=container_id[:12])
                tasks.spawn(
                    self._services.runtime.stop(container_id, grace_period_s(self.pod)),
                    name=f"hurry {container_id[:12]}",
                )

    def _resize(self) -> None:
        """Limits that were changed in place reach the running container."""
        for status in self.observed.running():
            container = container_named(self.pod, status.name)
            if container is None or status.id in self._work or container["name"] in self._work or not status.resources:
                continue
            wanted = limits_of(
                self.pod, container, node_memory=self._services.memory_bytes,
                enforce_cpu=self._services.config.cpu_cfs_quota,
            )  # fmt: skip
            have = status.resources
            now = (wanted.cpu_shares, wanted.cpu_quota, wanted.memory)
            if (
                now != (have["cpu_shares"], have["cpu_quota"], have["memory"])
                and f"resize {status.id}" not in self._held
            ):
                self._launch(f"resize {status.id}", self._update_limits(status.id, wanted))

    async def _update_limits(self, container_id: str, limits: Any) -> None:
        await self._services.runtime.update(container_id, limits)
        self._dirty.add(container_id)

    # Volumes

    def _keep_volumes(self, now: datetime) -> None:
        """Mounts the volumes, and brings live ones up to date when something that they show may have changed."""
        renewal = self._services.tokens.next_renewal(self.uid)
        due = self._volumes_stale or (renewal is not None and now >= renewal)
        if "volumes" in self._work or "volumes" in self._held:
            return
        if self._volumes is None or (due and self._services.volumes.is_live(self.pod)):
            self._volumes_stale = False
            self._launch("volumes", self._mount(), interruptible=True)

    async def _mount(self) -> None:
        try:
            self._volumes = await self._services.volumes.mount(self.pod)
            self._mount_backoff.reset()
        except VolumeFault as fault:
            self._services.recorder.event(self.pod, "Warning", "FailedMount", str(fault))
            self._held["volumes"] = self._services.clock.monotonic() + self._mount_backoff.next()

    # Telling

    def _probe(self) -> None:
        running = [
            (status, self._target(status, container))
            for status in self.observed.running()
            if (container := container_named(self.pod, status.name)) is not None
            and status.id not in self._work
            and container["name"] not in self._work
            and not self.is_ending
        ]
        self.probes.reconcile(running)

    def _tell_unhealthy(self, name: str, kind: str, message: str) -> None:
        container = container_named(self.pod, name)
        if container is not None:
            text = f"{kind.capitalize()} probe failed: {message}"
            teller(self._services, self.pod, container)("Warning", "Unhealthy", text)

    def facts(self) -> Facts:
        """What the status is made from, now."""
        return Facts(
            observed=self.observed,
            known=self._known(),
            now=self._services.clock.now(),
            waiting=self._waiting,
            ready=self.probes.results["readiness"],
            termination_messages=self._messages,
            host_ips=self._services.host_ips,
            id_prefix=self._services.runtime.name,
            failed=self._failed,
            terminating=self.is_ending,
        )

    def _publish(self) -> None:
        if self._removed and not is_static(self.pod):
            return
        before = self._last_status()
        status = pod_status({**self.pod, "status": before}, self.facts())
        self._services.statuses.put(self.uid, status)
        if status["phase"] == "Running" and not self._reported_start:
            self._reported_start = True
            self._services.metrics.pod_start_s.append(self._services.clock.monotonic() - self._created)
        if is_terminal(status) and not is_terminal(before):
            self._wake.set()  # the next turn ends what is left of it

    def _last_status(self) -> Object:
        """What we said last, with the conditions that others have set since."""
        told: Object = self.pod.get("status") or {}
        own = self._services.statuses.get(self.uid)
        if own is None:
            return told
        mine = [c for c in own.get("conditions") or [] if c["type"] in _OWN_CONDITIONS]
        others = [c for c in told.get("conditions") or [] if c["type"] not in _OWN_CONDITIONS]
        return {**own, "conditions": mine + others}

    # The end

    def _collect(self) -> None:
        """Removes dead containers that nobody will look at again."""
        surplus = [i for i in plan.surplus(self.observed) if i not in self._work]
        if surplus and "collect" not in self._work and "collect" not in self._held:
            self._launch("collect", self._remove_containers(surplus))

    async def _remove_containers(self, ids: Iterable[str]) -> None:
        for container_id in ids:
            await self._services.runtime.remove(container_id)
            self.containers.pop(container_id, None)
            self.sandboxes.pop(container_id, None)

    async def _finish(self) -> bool:
        """The pod's containers have ended: clean up, let go of it in the API; True when it is gone there."""
        services = self._services
        await services.statuses.flush(self.uid)
        if not self._cleaned:
            await self.probes.close()
            await services.volumes.unmount(self.uid)
            await services.objects.release(self.uid)
            services.tokens.forget(self.uid)
            await asyncio.to_thread(services.remove_cgroup, self.pod)
            self._cleaned = True
            _log.info("stopped", pod=full_name(self.pod))
        if self.pod["metadata"].get("deletionTimestamp") and not self._removed and not is_static(self.pod):
            await self._delete()
        if not self._removed:
            return False
        await self._remove_containers([*self.containers, *self.sandboxes])
        await asyncio.to_thread(services.remove_cgroup, self.pod)
        meta = self.pod["metadata"]
        await asyncio.to_thread(unlink_logs, meta["namespace"], meta["name"], self.uid)
        services.statuses.forget(self.uid)
        return True

    async def _delete(self) -> None:
        meta = self.pod["metadata"]
        if is_mirror(self.pod):
            return
        try:
            await self._services.client.delete(_PODS, meta["name"], meta["namespace"], grace_period_s=0, uid=self.uid)
        except (errors.NotFound, errors.Conflict):
            self._removed = True

    def status(self) -> Object | None:
        """The newest status that was told."""
        return self._services.statuses.get(self.uid)
