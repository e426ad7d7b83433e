"""Aggregated ClusterRoles have the rules of those that they select, and lose them again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.controllers.clusterrole_aggregation import ClusterRoleAggregationController, plan_rules
from kubepy.controllers.controller import Context, Informers
from kubepy.lib import tasks

ROLES = resources.named("clusterroles", "rbac.authorization.k8s.io")
Object = dict[str, Any]


def rule(resource: str) -> Object:
    return {"apiGroups": [""], "resources": [resource], "verbs": ["get"]}


def role(name: str, *rules: Object, labels: Object | None = None, selects: list[Object] | None = None) -> Object:
    made: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels or {}},
        "rules": list(rules),
    }
    if selects is not None:
        made["aggregationRule"] = {"clusterRoleSelectors": selects}
    return made


def test_rules_come_by_selector_then_by_name_and_once() -> None:
    whole = role("whole", selects=[{"matchLabels": {"second": "x"}}, {"matchLabels": {"first": "x"}}])
    roles = [
        role("b", rule("pods"), rule("nodes"), labels={"first": "x"}),
        role("a", rule("nodes"), rule("secrets"), labels={"first": "x"}),
        role("c", rule("services"), labels={"second": "x"}),
        role("d", rule("jobs")),
        {**whole, "metadata": {"name": "whole", "labels": {"first": "x"}}, "rules": [rule("stale")]},
    ]
    found = [one["resources"][0] for one in plan_rules(whole, roles)]
    assert found == ["services", "nodes", "secrets", "pods"]


def test_a_selector_of_nothing_in_particular_selects_all() -> None:
    whole = role("whole", selects=[{}])
    assert plan_rules(whole, [whole, role("a", rule("pods"))]) == [rule("pods")]


async def until(ask: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    while await ask() != wanted:
        await asyncio.sleep(0.01)


def test_the_role_follows_what_it_selects() -> None:
    async def run() -> None:
        async with asyncio.timeout(20), in_process() as server:
            informers = Informers(server.client)
            controller = ClusterRoleAggregationController(Context(client=server.client, informers=informers))
            scope = tasks.Scope()
            scope.start(informers.run(), name="informers")
            scope.start(controller.run(), name="controller")
            client = server.client

            async def rules() -> list[str]:
                found = await client.get(ROLES, "whole")
                return [one["resources"][0] for one in found.get("rules") or []]

            await client.create(ROLES, role("whole", selects=[{"matchLabels": {"in": "x"}}]))
            await client.create(ROLES, role("a", rule("pods"), labels={"in": "x"}))
            await until(rules, ["pods"])
            await client.patch(ROLES, "a", {"rules": [rule("nodes")]})
            await until(rules, ["nodes"])
            version = (await client.get(ROLES, "whole"))["metadata"]["resourceVersion"]
            await controller.sync("whole")
            found = await client.get(ROLES, "whole")
            assert found["metadata"]["resourceVersion"] == version
            managers = {one["manager"]: one["operation"] for one in found["metadata"]["managedFields"]}
            assert managers["clusterrole-aggregation-controller"] == "Apply"
            await client.delete(ROLES, "a")
            await until(rules, [])
            await scope.close()

    asyncio.run(run())
