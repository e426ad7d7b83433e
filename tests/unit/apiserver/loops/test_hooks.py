"""What is done at the start, and how /readyz tells of it."""

import asyncio

from kubepy.apiserver.loops import hooks
from kubepy.apiserver.loops.hooks import Hooks
from tests.unit.apiserver.asking import Asker, on_server

REQUIRED = (
    "ping", "log", "etcd", "autoregister-completion",
    *(f"poststarthook/{name}" for name in (
        "start-apiserver-admission-initializer", "generic-apiserver-start-informers", "start-apiextensions-informers",
        "start-apiextensions-controllers", "crd-informer-synced", "bootstrap-controller",
        "start-system-namespaces-controller", "scheduling/bootstrap-system-priority-classes", "rbac/bootstrap-roles",
        "start-cluster-authentication-info-controller", "start-kube-aggregator-informers",
        "apiservice-registration-controller", "apiservice-status-local-available-controller",
        "apiservice-status-remote-available-controller", "kube-apiserver-autoregistration",
        "apiservice-openapi-controller", "priority-and-fairness-config-producer",
    )),
)  # fmt: skip


def asked(found: Hooks) -> dict[str, str]:
    async def ask() -> dict[str, str]:
        return {check.name: await check.ask() for check in found.checks()}

    return asyncio.run(ask())


def test_a_step_is_not_fine_before_it_is_done() -> None:
    found = Hooks(fair=True)
    assert set(asked(found).values()) == {"not finished"}
    found.done(hooks.REGISTRATION, hooks.POLICY)
    assert {name.rpartition("/")[2] for name, fault in asked(found).items() if not fault} == {
        "autoregister-completion",
        "kube-apiserver-autoregistration",
        "bootstrap-roles",
    }
    found.all_done()
    assert set(asked(found).values()) == {""}
    asyncio.run(found.wait())


def test_without_fairness_nobody_waits_for_its_levels() -> None:
    assert not any("fairness" in name for name in asked(Hooks(fair=False)))


def test_every_tree_tells_of_what_upstreams_clients_look_for() -> None:
    async def test(ask: Asker) -> None:
        for tree in ("healthz", "livez", "readyz"):
            told = await ask("GET", f"/{tree}?verbose=1")
            assert told.status == 200
            missing = [name for name in REQUIRED if f"[+]{name} ok" not in told.body.splitlines()]
            assert missing == [], tree
            one = await ask("GET", f"/{tree}/poststarthook/rbac/bootstrap-roles")
            assert (one.status, one.body) == (200, "ok")

    on_server(test)
