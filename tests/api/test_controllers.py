"""The control loops on a real API server in the same process, with the scheduler and hollow nodes beside them."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from kubepy.api import resources
from kubepy.api.errors import NotFound
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.authn.user import UserInfo
from kubepy.client.client import Client
from kubepy.controllers.manager import run_controllers
from kubepy.lib import pki, tasks
from kubepy.lib.clock import SYSTEM, rfc3339_micro
from kubepy.testing.cluster import DevCluster, dev_cluster, manager_settings

PODS, NODES, SERVICES = (resources.named(plural) for plural in ("pods", "nodes", "services"))
MAPS, NAMESPACES, ACCOUNTS = (resources.named(plural) for plural in ("configmaps", "namespaces", "serviceaccounts"))
QUOTAS, EVENTS = resources.named("resourcequotas"), resources.named("events")
SETS, DEPLOYMENTS = resources.named("replicasets", "apps"), resources.named("deployments", "apps")
SLICES = resources.named("endpointslices", "discovery.k8s.io")
CSRS = resources.named("certificatesigningrequests", "certificates.k8s.io")
BINDINGS = resources.named("clusterrolebindings", "rbac.authorization.k8s.io")
LEASES = resources.named("leases", "coordination.k8s.io")
NS = "default"
LIVELY = ("lively-0", "lively-1")
WITHIN_S = 20.0

Test = Callable[[DevCluster], Awaitable[None]]


def on_cluster(folder: Path, test: Test, **options: Any) -> None:
    """Runs `test` on a cluster of its own; nothing that the cluster started outlives it."""

    async def run() -> None:
        async with asyncio.timeout(60), dev_cluster(folder, **options) as cluster:
            await test(cluster)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


async def eventually(holds: Callable[[], Awaitable[Any]]) -> Any:
    """What `holds` answers, as soon as it is true."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not (answer := await holds()):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never came true: {holds}") from None
    return answer


def template(app: str = "web", image: str = "nginx:1") -> Object:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def workload(resource: Resource, name: str, size: int, **spec: Any) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": NS},
        "spec": {"replicas": size, "selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec},
    }


def lone_pod(name: str, **meta: Any) -> Object:
    made = template()
    meta = {"name": name, "namespace": NS, **made["metadata"], **meta}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": made["spec"]}


async def pods_of(client: Client, selector: str = "app=web") -> list[Object]:
    found = (await client.list(PODS, NS, label_selector=selector))["items"]
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def controller_uid(obj: Object) -> str | None:
    return next((ref["uid"] for ref in obj["metadata"].get("ownerReferences", []) if ref.get("controller")), None)


async def status_of(client: Client, resource: Resource, name: str) -> Object:
    obj = await client.get(resource, name, NS)
    status: Object = obj.get("status", {})
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return {}
    return status


def condition(status: Object, kind: str) -> Object:
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {})


async def rolled_out(client: Client, name: str, size: int) -> bool:
    status = await status_of(client, DEPLOYMENTS, name)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return counts == [size] * 3


async def set_image(client: Client, name: str, image: str) -> None:
    containers = [{"name": "c", "image": image}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    await client.patch(DEPLOYMENTS, name, patch, NS, kind="strategic")


async def versions(client: Client) -> dict[str, str]:
    """The resourceVersion of whatever a control loop may write."""
    found = {}
    for resource in (PODS, SETS, DEPLOYMENTS, SLICES, SERVICES, NODES, NAMESPACES, ACCOUNTS, MAPS, CSRS, EVENTS):
        for obj in (await client.list(resource))["items"]:
            meta = obj["metadata"]
            found[f"{resource.plural}/{meta.get('namespace')}/{meta['name']}"] = meta["resourceVersion"]
    return found


def test_a_replica_set_adopts_orphans_and_lets_go_of_what_it_no_longer_selects(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        await client.create(PODS, lone_pod("orphan"))
        owner = await client.create(SETS, workload(SETS, "web", 2))
        uid = owner["metadata"]["uid"]

        async def owned() -> list[str] | None:
            names = [pod["metadata"]["name"] for pod in await pods_of(client) if controller_uid(pod) == uid]
            return names if len(names) == 2 else None

        assert "orphan" in await eventually(owned)
        await client.patch(PODS, "orphan", {"metadata": {"labels": {"app": "mine"}}}, NS)
        assert "orphan" not in await eventually(owned)
        released = await client.get(PODS, "orphan", NS)
        assert released["metadata"].get("ownerReferences", []) == []

    on_cluster(tmp_path, test)


def test_a_quota_that_is_used_up_is_told_and_pods_follow_when_it_is_lifted(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        meta = {"name": "few", "namespace": NS}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "1"}}}
        await client.create(QUOTAS, quota)
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 3))

        async def failure() -> Object:
            return condition(await status_of(client, DEPLOYMENTS, "web"), "ReplicaFailure")

        told = await eventually(failure)
        assert told["reason"] == "FailedCreate"
        assert "exceeded quota: few" in told["message"]
        assert len(await pods_of(client)) == 1
        await asyncio.sleep(0.5)
        events = (await client.list(EVENTS, NS, field_selector="reason=FailedCreate"))["items"]
        assert 1 < sum(event["count"] for event in events) < 20  # each wait for the next try is longer
        await client.delete(QUOTAS, "few", NS)
        await eventually(lambda: rolled_out(client, "web", 3))
        assert await failure() == {}

    on_cluster(tmp_path, test)


def test_recreate_ends_the_old_pods_before_it_makes_new_ones(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 2, strategy={"type": "Recreate"}))
        await eventually(lambda: rolled_out(client, "web", 2))
        alive = {pod["metadata"]["uid"]: "nginx:1" for pod in await pods_of(client)}
        since = (await client.list(PODS, NS))["metadata"]["resourceVersion"]
        await set_image(client, "web", "nginx:2")
        made = 0
        async for kind, pod in client.watch(PODS, NS, resource_version=since, bookmarks=False):
            image = pod["spec"]["containers"][0]["image"]
            if kind == "DELETED":
                alive.pop(pod["metadata"]["uid"])
            elif kind == "ADDED":
                made += 1
                alive[pod["metadata"]["uid"]] = image
            assert len(set(alive.values())) <= 1, "both versions at once"
            if made == 2:
                break
        await eventually(lambda: rolled_out(client, "web", 2))

    on_cluster(tmp_path, test)


def test_a_paused_rollout_waits_but_scales(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 1))
        await eventually(lambda: rolled_out(client, "web", 1))
        await client.patch(DEPLOYMENTS, "web", {"spec": {"paused": True}}, NS)
        await set_image(client, "web", "nginx:2")
        await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 3}}, NS)

        async def scaled() -> bool:
            status = await status_of(client, DEPLOYMENTS, "web")
            return bool(status.get("availableReplicas") == 3)

        await eventually(scaled)
        status = await status_of(client, DEPLOYMENTS, "web")
        assert status.get("updatedReplicas", 0) == 0
        assert condition(status, "Progressing")["reason"] == "DeploymentPaused"
        assert len((await client.list(SETS, NS))["items"]) == 1
        await client.patch(DEPLOYMENTS, "web", {"spec": {"paused": False}}, NS)
        await eventually(lambda: rolled_out(client, "web", 3))
        assert {pod["spec"]["containers"][0]["image"] for pod in await pods_of(client)} == {"nginx:2"}

    on_cluster(tmp_path, test)


def test_history_is_kept_up_to_its_limit_and_can_be_gone_back_to(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 1, revisionHistoryLimit=1))
        for number in (2, 3, 4):
            await eventually(lambda: rolled_out(client, "web", 1))
            await set_image(client, "web", f"nginx:{number}")
        await eventually(lambda: rolled_out(client, "web", 1))

        async def revisions() -> dict[str, str]:
            found = (await client.list(SETS, NS))["items"]
            return {
                rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: rs["spec"]["template"]["spec"][
                    "containers"
                ][0]["image"]
                for rs in found
            }

        async def two_left() -> bool:
            return await revisions() == {"3": "nginx:3", "4": "nginx:4"}

        await eventually(two_left)
        await set_image(client, "web", "nginx:3")

        async def went_back() -> bool:
            return await revisions() == {"5": "nginx:3", "4": "nginx:4"}

        await eventually(went_back)
        stored = await client.get(DEPLOYMENTS, "web", NS)
        assert stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "5"

    on_cluster(tmp_path, test)


def test_a_name_that_is_taken_is_counted_and_another_found(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        made = await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 1))
        await eventually(lambda: rolled_out(client, "web", 1))
        taken = (await client.list(SETS, NS))["items"][0]["metadata"]["name"]
        await client.delete(DEPLOYMENTS, "web", NS, propagation="Foreground")

        async def gone() -> bool:
            return not (await client.list(SETS, NS))["items"] and not (await client.list(DEPLOYMENTS, NS))["items"]

        await eventually(gone)
        squatter = workload(SETS, taken, 0, selector={"matchLabels": {"app": "other"}}, template=template("other"))
        await client.create(SETS, squatter)
        again = await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 1))
        assert again["metadata"]["uid"] != made["metadata"]["uid"]
        await eventually(lambda: rolled_out(client, "web", 1))
        assert (await status_of(client, DEPLOYMENTS, "web"))["collisionCount"] == 1
        assert len((await client.list(SETS, NS))["items"]) == 2

    on_cluster(tmp_path, test)


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_deleting_a_deployment_does_with_its_dependents_as_asked(tmp_path: Path, policy: str) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 2))
        await eventually(lambda: rolled_out(client, "web", 2))
        since = (await client.list(PODS, NS))["metadata"]["resourceVersion"]
        await client.delete(DEPLOYMENTS, "web", NS, propagation=policy)  # type: ignore[arg-type]

        async def deployment_gone() -> bool:
            return not (await client.list(DEPLOYMENTS, NS))["items"]

        async def all_gone() -> bool:
            left = [(await client.list(resource, NS))["items"] for resource in (DEPLOYMENTS, SETS, PODS)]
            return not any(left)

        if policy != "Orphan":
            await eventually(all_gone)
            return
        await eventually(deployment_gone)
        (orphan,) = (await client.list(SETS, NS))["items"]
        assert not orphan["metadata"].get("ownerReferences")
        assert len(await pods_of(client)) == 2
        assert all(controller_uid(pod) == orphan["metadata"]["uid"] for pod in await pods_of(client))
        assert int(since) > 0

    on_cluster(tmp_path, test)


def test_foreground_deletion_keeps_the_owner_until_its_dependents_are_gone(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        await client.create(SETS, workload(SETS, "web", 1))
        (pod,) = await eventually(lambda: pods_of(client))
        name = pod["metadata"]["name"]
        await client.patch(PODS, name, {"metadata": {"finalizers": ["example.com/hold"]}}, NS)
        await client.delete(SETS, "web", NS, propagation="Foreground")

        async def pod_is_deleting() -> bool:
            return "deletionTimestamp" in (await client.get(PODS, name, NS))["metadata"]

        await eventually(pod_is_deleting)
        await asyncio.sleep(0.2)
        owner = await client.get(SETS, "web", NS)
        assert owner["metadata"]["finalizers"] == ["foregroundDeletion"]
        await client.patch(PODS, name, {"metadata": {"finalizers": None}}, NS)

        async def owner_gone() -> bool:
            return not (await client.list(SETS, NS))["items"]

        await eventually(owner_gone)

    on_cluster(tmp_path, test)


def test_a_namespace_is_emptied_but_waits_for_finalizers(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "full"}})

        async def furnished() -> bool:
            accounts = {obj["metadata"]["name"] for obj in (await client.list(ACCOUNTS, "full"))["items"]}
            maps = {obj["metadata"]["name"] for obj in (await client.list(MAPS, "full"))["items"]}
            return "default" in accounts and "kube-root-ca.crt" in maps

        await eventually(furnished)
        published = await client.get(MAPS, "kube-root-ca.crt", "full")
        assert published["data"]["ca.crt"] == (cluster.files.pki / "ca.crt").read_text()
        held = {"name": "held", "namespace": "full", "finalizers": ["example.com/hold"]}
        await client.create(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
        await client.create(PODS, {**lone_pod("a"), "metadata": {"name": "a", "namespace": "full"}})
        await client.delete(NAMESPACES, "full")

        async def remaining() -> bool:
            status = (await client.get(NAMESPACES, "full"))["status"]
            message = condition(status, "NamespaceFinalizersRemaining").get("message", "")
            pods = (await client.list(PODS, "full"))["items"]
            return "example.com/hold in 1 resource instances" in message and not pods

        await eventually(remaining)
        assert (await client.get(NAMESPACES, "full"))["status"]["phase"] == "Terminating"
        await client.patch(MAPS, "held", {"metadata": {"finalizers": None}}, "full")

        async def gone() -> bool:
            return "full" not in {obj["metadata"]["name"] for obj in (await client.list(NAMESPACES))["items"]}

        await eventually(gone)

    on_cluster(tmp_path, test)


def test_a_bootstrapping_kubelet_gets_its_certificate(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        groups = ("system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token", "system:authenticated")
        for name, role in (
            ("bootstrap", "system:node-bootstrapper"),
            ("approve", "system:certificates.k8s.io:certificatesigningrequests:nodeclient"),
        ):
            binding = {
                "apiVersion": BINDINGS.api_version,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": groups[0]}],
            }
            await cluster.client.create(BINDINGS, binding)
        kubelet = Client.direct(cluster.server.handler, UserInfo("system:bootstrap:abcdef", groups=groups))
        key = pki.new_key()
        request = pki.new_request(key, "system:node:node-9", organizations=("system:nodes",))
        spec = {
            "request": base64.b64encode(request).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"],
            "expirationSeconds": 3600,
        }
        body = {"apiVersion": CSRS.api_version, "kind": CSRS.kind, "metadata": {"generateName": "csr-"}, "spec": spec}
        name = (await kubelet.create(CSRS, body))["metadata"]["name"]

        async def certificate() -> str:
            return str((await kubelet.get(CSRS, name)).get("status", {}).get("certificate", ""))

        pem = base64.b64decode(await eventually(certificate))
        identity = pki.load_identity(pem, pki.key_pem(key))
        assert pki.common_name(identity.certificate.subject) == "system:node:node-9"
        assert pki.organizations(identity.certificate.subject) == ("system:nodes",)
        authority = pki.load_certificates((cluster.files.pki / "ca.crt").read_bytes())[0]
        assert pki.is_issued_by(identity.certificate, authority)
        lifetime = identity.certificate.not_valid_after_utc - identity.certificate.not_valid_before_utc
        assert lifetime.total_seconds() < 2 * 3600

    on_cluster(tmp_path, test)


def test_every_node_has_a_range_of_its_own(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        async def ranges() -> list[str]:
            nodes = (await cluster.client.list(NODES))["items"]
            found = [node["spec"].get("podCIDR") for node in nodes]
            return found if all(found) else []

        found = await eventually(ranges)
        assert len(set(found)) == len(found) == 12
        assert all(cidr.startswith("10.244.") and cidr.endswith("/24") for cidr in found)

    on_cluster(tmp_path, test, nodes=12)


async def renew(client: Client, node: str) -> None:
    """Gives signs of life, as the node's kubelet would."""
    meta = {"name": node, "namespace": "kube-node-lease"}
    await client.create(LEASES, {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": meta})
    while True:
        patch = {"spec": {"renewTime": rfc3339_micro(SYSTEM.now())}}
        await client.patch(LEASES, node, patch, "kube-node-lease")
        await asyncio.sleep(0.2)


def test_pods_of_hollow_nodes_have_addresses_of_their_node_s_range(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client

        async def all_have_ranges() -> bool:
            return all(node["spec"].get("podCIDR") for node in (await client.list(NODES))["items"])

        await eventually(all_have_ranges)
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 30))
        await eventually(lambda: rolled_out(client, "web", 30))
        ranges = {n["metadata"]["name"]: n["spec"]["podCIDR"] for n in (await client.list(NODES))["items"]}
        pods = await pods_of(client)
        for pod in pods:
            assert ip_address(pod["status"]["podIP"]) in ip_network(ranges[pod["spec"]["nodeName"]])
        assert len({pod["status"]["podIP"] for pod in pods}) == 30

    on_cluster(tmp_path, test, nodes=6)


def test_a_hollow_pod_ends_as_its_annotations_say(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        marks = {"hollow.kubepy.dev/run-for-seconds": "0.2", "hollow.kubepy.dev/exit-code": "3"}
        pod = lone_pod("brief", annotations=marks)
        pod["spec"]["restartPolicy"] = "Never"
        await client.create(PODS, pod)

        async def failed() -> Object | None:
            status: Object = (await client.get(PODS, "brief", NS))["status"]
            return status if status["phase"] == "Failed" else None

        ended = (await eventually(failed))["containerStatuses"][0]["state"]["terminated"]
        assert ended["exitCode"] == 3

    on_cluster(tmp_path, test)


def test_a_silent_node_is_unknown_tainted_and_left_by_its_pods(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        scope = tasks.Scope()
        for name in ("silent", *LIVELY):
            ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
            meta, status = {"name": name}, {"conditions": [ready]}
            await client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": meta, "status": status})
            if name != "silent":
                scope.start(renew(client, name), name=f"renew {name}")
        short = [
            {"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
            for why in ("not-ready", "unreachable")
        ]
        pod = lone_pod("lost")
        pod["spec"] |= {"nodeName": "silent", "tolerations": short}
        await client.create(PODS, pod)

        async def unknown() -> bool:
            node = await client.get(NODES, "silent")
            taints = {(taint["key"], taint["effect"]) for taint in node["spec"].get("taints", [])}
            return condition(node["status"], "Ready")["status"] == "Unknown" and taints >= {
                ("node.kubernetes.io/unreachable", "NoSchedule"),
                ("node.kubernetes.io/unreachable", "NoExecute"),
            }

        await eventually(unknown)

        async def evicted() -> bool:
            lost = await client.get(PODS, "lost", NS)
            return "deletionTimestamp" in lost["metadata"]

        await eventually(evicted)
        lost = await client.get(PODS, "lost", NS)
        assert condition(lost["status"], "DisruptionTarget")["reason"] == "DeletionByTaintManager"
        for name in LIVELY:
            node = await client.get(NODES, name)
            assert condition(node["status"], "Ready")["status"] == "True"
            assert not node["spec"].get("taints")
        await scope.close()

    on_cluster(tmp_path, test, nodes=0, manager_flags={"node-monitor-grace-period": 1.5})


def test_endpoint_slices_follow_the_pods_of_a_service(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
        meta = {"name": "web", "namespace": NS}
        await client.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 3))

        async def addresses() -> set[str]:
            slices = (await client.list(SLICES, NS, label_selector="kubernetes.io/service-name=web"))["items"]
            return {
                address
                for piece in slices
                for endpoint in piece.get("endpoints") or []
                if endpoint["conditions"]["ready"]
                for address in endpoint["addresses"]
            }

        async def agrees(size: int) -> bool:
            ips = {pod["status"].get("podIP") for pod in await pods_of(client)}
            return len(ips) == size and None not in ips and ips == await addresses()

        await eventually(lambda: agrees(3))
        await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 1}}, NS)
        await eventually(lambda: agrees(1))
        await client.delete(SERVICES, "web", NS)

        async def no_slices() -> bool:
            return not (await client.list(SLICES, NS, label_selector="kubernetes.io/service-name=web"))["items"]

        await eventually(no_slices)

    on_cluster(tmp_path, test)


def test_a_manager_that_starts_on_a_cluster_at_rest_writes_nothing(tmp_path: Path) -> None:
    async def test(cluster: DevCluster) -> None:
        client = cluster.client
        meta, spec = {"name": "web", "namespace": NS}, {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        await client.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
        await client.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 2))
        await eventually(lambda: rolled_out(client, "web", 2))
        await set_image(client, "web", "nginx:2")
        await eventually(lambda: rolled_out(client, "web", 2))
        await asyncio.sleep(0.5)  # whatever is still to be told of that, is told
        await tasks.cancel(cluster.parts["controller-manager"])
        before = await versions(client)
        scope = tasks.Scope()
        scope.start(run_controllers(client, manager_settings(cluster.files)), name="second manager")
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "signal"}})

        async def at_work() -> bool:
            try:
                return bool(await client.get(ACCOUNTS, "default", "signal"))
            except NotFound:
                return False

        await eventually(at_work)
        await asyncio.sleep(0.5)  # every key of its first lists is worked on by now
        after = await versions(client)
        await scope.close()
        assert {key: version for key, version in after.items() if "signal" not in key} == before

    on_cluster(tmp_path, test)
