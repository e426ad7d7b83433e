"""A whole kubelet on a runtime without containers, against a whole API server in the same process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubelet_pods import container

from kubepy.api import errors, resources
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.embedded import in_process
from kubepy.client.client import Client
from kubepy.kubelet.config import KubeletConfig
from kubepy.kubelet.hollow import RUN_FOR_S, HollowKubelet
from kubepy.kubelet.kubelet import Kubelet
from kubepy.kubelet.runtime.base import ContainerStatus, ExecResult, State
from kubepy.kubelet.runtime.fake import FakeRuntime
from kubepy.lib import tasks

Object = dict[str, Any]
PODS, NODES = resources.named("pods"), resources.named("nodes")
ADMIN = UserInfo(name="admin", groups=("system:masters", "system:authenticated"))


@dataclass
class Rig:
    """What a test talks to."""

    client: Client
    runtime: FakeRuntime
    kubelet: Kubelet
    restart: Callable[[], Awaitable[None]]

    async def pod(self, until: Callable[[Object], bool], name: str = "web") -> Object:
        """The pod, once `until` holds."""
        while True:
            found = await self.client.get(PODS, name, "default")
            if until(found):
                return found
            await asyncio.sleep(0.01)

    async def gone(self, name: str = "web") -> None:
        while True:
            try:
                await self.client.get(PODS, name, "default")
            except errors.NotFound:
                return
            await asyncio.sleep(0.01)

    async def running(self, name: str = "c") -> ContainerStatus:
        """The running container of that name."""
        while True:
            for brief in await self.runtime.all():
                status = await self.runtime.inspect(brief.id)
                if isinstance(status, ContainerStatus) and status.name == name and status.state is State.RUNNING:
                    return status
            await asyncio.sleep(0.01)


async def _nothing() -> None:
    """Until the kubelet runs."""


@asynccontextmanager
async def rig(tmp_path: Path, **settings: Any) -> AsyncIterator[Rig]:
    async with in_process() as server:
        client = Client.direct(server.handler, ADMIN)
        runtime = FakeRuntime()
        config = KubeletConfig(
            node_name="n1", root_dir=tmp_path, node_ips=("192.0.2.9",), cgroups_per_qos=False, **settings
        )
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        }
        await client.create(resources.named("serviceaccounts"), account)
        made = Rig(client, runtime, Kubelet(config, client, runtime), restart=_nothing)
        running = [tasks.spawn(made.kubelet.run(), name="kubelet")]

        async def restart() -> None:
            await tasks.cancel(running.pop())
            made.kubelet = Kubelet(config, client, runtime)
            running.append(tasks.spawn(made.kubelet.run(), name="kubelet"))

        made.restart = restart
        try:
            yield made
        finally:
            await tasks.cancel(*running)


def manifest(*containers: Object, name: str = "web", **spec: Any) -> Object:
    # on the host's network, so that no CNI plugin is needed
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": "n1", "hostNetwork": True, "containers": list(containers) or [container()], **spec},
    }


def is_ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or [])


def in_time(scenario: Awaitable[None]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await scenario

    asyncio.run(run())


def test_pod_runs_restarts_and_goes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.client.create(PODS, manifest())
            pod = await r.pod(is_ready)
            assert pod["status"]["phase"] == "Running"
            assert pod["status"]["podIP"] == "192.0.2.9"
            r.runtime.end((await r.running()).id, exit_code=2)
            pod = await r.pod(lambda p: is_ready(p) and p["status"]["containerStatuses"][0]["restartCount"] == 1)
            assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 2
            r.runtime.end((await r.running()).id, exit_code=2)
            pod = await r.pod(lambda p: "waiting" in p["status"]["containerStatuses"][0]["state"])
            assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            await r.client.delete(PODS, "web", "default")
            await r.gone()
            while await r.runtime.all() or ((tmp_path / "pods").exists() and list((tmp_path / "pods").iterdir())):
                await asyncio.sleep(0.01)

    in_time(scenario())


def test_restarted_kubelet_adopts_and_kills_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.client.create(PODS, manifest())
            await r.pod(is_ready)
            before = (await r.running()).id
            await r.restart()
            while not r.kubelet.manager.workers or not (r.kubelet.manager.find("default", "web") or _none()).containers:
                await asyncio.sleep(0.01)
            r.runtime.end(before, exit_code=1)
            pod = await r.pod(lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1)
            assert r.runtime.stopped_with == {}
            assert pod["status"]["phase"] == "Running"

    in_time(scenario())


def _none() -> Any:
    raise AssertionError("the pod has no worker")


def test_pod_deleted_while_the_kubelet_was_away_is_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.client.create(PODS, manifest())
            await r.pod(is_ready)
            await r.kubelet.manager.close()
            await r.client.delete(PODS, "web", "default", grace_period_s=0)
            await r.restart()
            while await r.runtime.all():
                await asyncio.sleep(0.01)

    in_time(scenario())


def test_job_succeeds_when_its_containers_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            spec = manifest(restartPolicy="Never", initContainers=[container("first")])
            await r.client.create(PODS, spec)
            r.runtime.end((await r.running("first")).id)
            r.runtime.end((await r.running("c")).id)
            pod = await r.pod(lambda p: p["status"]["phase"] == "Succeeded")
            assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"

    in_time(scenario())


def test_missing_image_waits_with_its_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            r.runtime.missing = {"none:1", "never:1"}
            boxes = [container("a", image="none:1"), container("b", image="never:1", imagePullPolicy="Never")]
            await r.client.create(PODS, manifest(*boxes))

            def reasons(pod: Object) -> list[str]:
                states = [s["state"].get("waiting", {}) for s in pod["status"].get("containerStatuses") or []]
                return [s.get("reason", "") for s in states]

            await r.pod(
                lambda p: (
                    reasons(p) in (["ErrImagePull", "ErrImageNeverPull"], ["ImagePullBackOff", "ErrImageNeverPull"])
                )
            )
            r.runtime.missing.clear()

    in_time(scenario())


def test_failing_liveness_probe_restarts_and_readiness_gates(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            r.runtime.answers[("ready",)] = ExecResult(1, b"not yet")
            box = container(
                "c",
                readinessProbe={"exec": {"command": ["ready"]}, "periodSeconds": 1},
                livenessProbe={"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1},
            )
            await r.client.create(PODS, manifest(box, terminationGracePeriodSeconds=1))
            pod = await r.pod(lambda p: p["status"].get("phase") == "Running")
            assert not is_ready(pod)
            r.runtime.answers[("ready",)] = ExecResult(0, b"")
            await r.pod(is_ready)
            r.runtime.answers[("alive",)] = ExecResult(1, b"dead")
            await r.pod(lambda p: p["status"]["containerStatuses"][0]["restartCount"] >= 1)

    in_time(scenario())


def test_live_config_map_reaches_the_volume(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            maps = resources.named("configmaps")
            conf = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf", "namespace": "default"}}
            box = container("c", volumeMounts=[{"name": "v", "mountPath": "/v"}])
            await r.client.create(PODS, manifest(box, volumes=[{"name": "v", "configMap": {"name": "conf"}}]))
            await r.client.create(maps, {**conf, "data": {"k": "1"}})
            pod = await r.pod(is_ready)
            file = tmp_path / "pods" / pod["metadata"]["uid"] / "volumes/kubernetes.io~configmap/v/k"
            assert file.read_text() == "1"
            await r.client.patch(maps, "conf", {"data": {"k": "2"}}, "default")
            while file.read_text() != "2":
                await asyncio.sleep(0.01)

    in_time(scenario())


def test_static_pod_runs_and_has_a_mirror(tmp_path: Path) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: st}\n"
    text += "spec: {hostNetwork: true, containers: [{name: c, image: a:1}]}\n"

    async def scenario() -> None:
        async with rig(tmp_path / "root", static_pod_path=manifests) as r:
            (manifests / "st.yaml").write_text(text)
            while True:
                try:
                    pod = await r.pod(is_ready, "st-n1")
                    break
                except errors.NotFound:
                    await asyncio.sleep(0.01)
            assert "kubernetes.io/config.mirror" in pod["metadata"]["annotations"]
            (manifests / "st.yaml").unlink()
            await r.gone("st-n1")
            while await r.runtime.all():
                await asyncio.sleep(0.01)

    in_time(scenario())


def test_node_is_not_ready_without_a_network(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path, cni_conf_dir=tmp_path / "none") as r:
            while True:
                try:
                    node = await r.client.get(NODES, "n1")
                except errors.NotFound:
                    await asyncio.sleep(0.01)
                    continue
                break
            (ready,) = [c for c in node["status"]["conditions"] if c["type"] == "Ready"]
            assert ready["status"] == "False"
            assert "NetworkPluginNotReady" in ready["message"]

    in_time(scenario())


def test_hollow_node_runs_pods_and_lets_them_go() -> None:
    async def scenario() -> None:
        async with in_process() as server:
            client = Client.direct(server.handler, ADMIN)
            hollow = HollowKubelet(client, "n1")
            task = tasks.spawn(hollow.run(), name="hollow")
            try:
                await hollow.registered.wait()
                account = {"metadata": {"name": "default", "namespace": "default"}}
                await client.create(
                    resources.named("serviceaccounts"), {"apiVersion": "v1", "kind": "ServiceAccount", **account}
                )
                once = manifest(name="once", restartPolicy="Never")
                once["metadata"]["annotations"] = {RUN_FOR_S: "0.05"}
                await client.create(PODS, manifest())
                await client.create(PODS, once)
                r = Rig(client, FakeRuntime(), None, None)  # type: ignore[arg-type]  # only its waiting is used
                assert is_ready(await r.pod(is_ready))
                await r.pod(lambda p: p["status"].get("phase") == "Succeeded", "once")
                await client.delete(PODS, "web", "default")
                await r.gone()
            finally:
                await tasks.cancel(task)

    in_time(scenario())
