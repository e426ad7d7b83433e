"""Two API servers on one etcd: what one of them acknowledged, the other one answers, however late its own watch is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
import uvloop

from kubepy.api import resources
from kubepy.api.errors import Forbidden, NotFound
from kubepy.api.resources import Resource
from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, UserInfo
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.client.client import Client
from kubepy.storage.base import Change
from kubepy.storage.etcd import EtcdStore
from kubepy.storage.hub import Hub, HubWatch
from tests.conftest import Etcd, new_etcd

_MAPS, _PODS = resources.named("configmaps"), resources.named("pods")
_NAMESPACES, _ACCOUNTS = resources.named("namespaces"), resources.named("serviceaccounts")
_ROLES = resources.named("clusterroles", "rbac.authorization.k8s.io")
_BINDINGS = resources.named("clusterrolebindings", "rbac.authorization.k8s.io")
_DEFINITIONS = resources.named("customresourcedefinitions", "apiextensions.k8s.io")
_WIDGETS = Resource("example.com", "v1", "Widget", "widgets", "widget", namespaced=True)


class _Asked(set[HubWatch]):
    """The watches that were asked for progress; the first one lets the hub's changes out."""

    def __init__(self, release: Callable[[], None]) -> None:
        super().__init__()
        self._release = release

    def add(self, watch: HubWatch) -> None:
        super().add(watch)
        asyncio.get_running_loop().call_soon(self._release)


class LazyHub(Hub):
    """Keeps every change to itself until somebody insists on being up to date: the worst of what timing can do."""

    def __init__(self) -> None:
        super().__init__(0)
        self.is_lazy = False
        self._held: list[tuple[Sequence[Change], int]] = []
        self.asking = _Asked(self.release)

    def publish(self, changes: Sequence[Change], revision: int) -> None:
        self._held.append((changes, revision))
        if self.asking or not self.is_lazy:
            self.release()

    def release(self) -> None:
        held, self._held = self._held, []
        for changes, revision in held:
            super().publish(changes, revision)
        waiting, self.asking = self.asking, _Asked(self.release)
        set.update(self.asking, waiting)


@dataclass
class Pair:
    """Clients of both servers; the second one is behind whenever it may be."""

    first: Client
    second: Client
    late: ApiServer


@asynccontextmanager
async def _server(config: ApiServerConfig, store: EtcdStore, *, leads: bool) -> AsyncIterator[ApiServer]:
    server = ApiServer(config, store, secure=secure, leads=leads)
    try:
        await server.start()
        await server.wait_ready()
        yield server
    finally:
        await server.stop()
        await store.close()


@asynccontextmanager
async def _pair(etcd: Etcd) -> AsyncIterator[Pair]:
    config = replace(ApiServerConfig(), etcd_servers=(etcd.endpoint,), authorization_mode=("RBAC",))
    lazy = EtcdStore([etcd.endpoint])
    hub = lazy._hub = LazyHub()
    async with (
        _server(config, EtcdStore([etcd.endpoint]), leads=True) as first,
        _server(config, lazy, leads=False) as second,
    ):
        hub.is_lazy = True
        yield Pair(first.client, second.client, second)


@pytest.fixture(scope="module")
def on_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Callable[[Pair], Awaitable[None]]], None]]:
    """Runs a test on two servers of one etcd."""
    etcd = new_etcd(tmp_path_factory.mktemp("etcd"))

    def run(test: Callable[[Pair], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(30), _pair(etcd) as pair:
                await test(pair)

        uvloop.run(main())

    yield run
    etcd.kill()


OnPair = Callable[[Callable[[Pair], Awaitable[None]]], None]


def _map(name: str, value: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"v": value}}


def test_reads_through_the_other_server_see_every_acknowledged_write(on_pair: OnPair) -> None:
    async def test(pair: Pair) -> None:
        await pair.first.create(_MAPS, _map("read", "1"))
        assert (await pair.second.get(_MAPS, "read", "default"))["data"] == {"v": "1"}
        await pair.first.update(_MAPS, _map("read", "2"))
        assert (await pair.second.get(_MAPS, "read", "default"))["data"] == {"v": "2"}
        await pair.first.update(_MAPS, _map("read", "3"))
        listed = {obj["metadata"]["name"]: obj for obj in (await pair.second.list(_MAPS, "default"))["items"]}
        assert listed["read"]["data"] == {"v": "3"}
        await pair.first.delete(_MAPS, "read", "default")
        with pytest.raises(NotFound):
            await pair.second.get(_MAPS, "read", "default")

    on_pair(test)


def test_update_that_changes_nothing_of_what_is_old_is_not_lost(on_pair: OnPair) -> None:
    async def test(pair: Pair) -> None:
        await pair.first.create(_MAPS, _map("noop", "1"))
        await pair.second.get(_MAPS, "noop", "default")
        await pair.first.update(_MAPS, _map("noop", "2"))
        back = await pair.second.update(_MAPS, _map("noop", "1"))
        stored = await pair.first.get(_MAPS, "noop", "default")
        assert stored["data"] == {"v": "1"}
        assert stored["metadata"]["resourceVersion"] == back["metadata"]["resourceVersion"]

    on_pair(test)


def test_patch_and_dry_run_are_made_of_the_newest_state(on_pair: OnPair) -> None:
    async def test(pair: Pair) -> None:
        await pair.first.create(_MAPS, _map("patched", "1"))
        await pair.second.get(_MAPS, "patched", "default")
        await pair.first.update(_MAPS, {**_map("patched", "1"), "data": {"v": "1", "w": "1"}})
        path = "/api/v1/namespaces/default/configmaps/patched"
        headers = {"Content-Type": "application/merge-patch+json"}
        patch = b'{"data":{"x":"1"}}'
        shown = await pair.second.request("PATCH", path, params={"dryRun": "All"}, body=patch, headers=headers)
        assert orjson.loads(shown.body)["data"] == {"v": "1", "w": "1", "x": "1"}
        await pair.first.update(_MAPS, {**_map("patched", "1"), "data": {"v": "2", "w": "1"}})
        made = await pair.second.patch(_MAPS, "patched", {"data": {"x": "1"}}, "default")
        assert made["data"] == {"v": "2", "w": "1", "x": "1"}

    on_pair(test)


def test_delete_finds_what_was_made_a_moment_ago(on_pair: OnPair) -> None:
    async def test(pair: Pair) -> None:
        await pair.first.create(_MAPS, _map("gone", "1"))
        await pair.second.delete(_MAPS, "gone", "default")
        await pair.second.create(_MAPS, _map("gone", "2"))
        assert (await pair.first.get(_MAPS, "gone", "default"))["data"] == {"v": "2"}

    on_pair(test)


def test_pod_is_admitted_to_a_namespace_made_a_moment_ago(on_pair: OnPair) -> None:
    async def test(pair: Pair) -> None:
        meta = {"name": "fresh"}
        await pair.first.create(_NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "fresh"}}
        await pair.first.create(_ACCOUNTS, account)
        spec = {"containers": [{"name": "c", "image": "i"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "fresh"}, "spec": spec}
        assert (await pair.second.create(_PODS, pod))["metadata"]["name"] == "p"

    on_pair(test)


def test_right_given_a_moment_ago_is_had(on_pair: OnPair) -> None:
    async def test(pair: Pair) -> None:
        user = Client.direct(pair.late.handler, UserInfo("eve", groups=(ALL_AUTHENTICATED,)))
        with pytest.raises(Forbidden):
            await user.list(_PODS)
        group, meta = "rbac.authorization.k8s.io", {"name": "pod-reader"}
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
        role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules}
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "pod-reader"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "eve"}],
        }
        await pair.first.create(_ROLES, role)
        await pair.first.create(_BINDINGS, binding)
        assert (await user.list(_PODS))["kind"] == "PodList"

    on_pair(test)


def test_kind_defined_a_moment_ago_is_served(on_pair: OnPair) -> None:
    async def test(pair: Pair) -> None:
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        }
        await pair.first.create(_DEFINITIONS, definition)
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "default"}}
        await pair.second.create(_WIDGETS, widget)
        assert (await pair.first.get(_WIDGETS, "w", "default"))["kind"] == "Widget"
        await pair.first.delete(_DEFINITIONS, "widgets.example.com")

    on_pair(test)
