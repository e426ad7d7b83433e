"""Resources as the server tells of them."""

import asyncio

import orjson
import pytest

from kubepy.api import resources
from kubepy.api.errors import ServiceUnavailable
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops import bootstrap
from kubepy.client.client import Client
from kubepy.client.discovery import preferred_resources
from kubepy.lib.http import Answer, Request, Response


def test_every_built_in_resource_is_found_once_at_its_preferred_version() -> None:
    async def scenario() -> list[resources.Resource]:
        async with in_process() as server:
            return await preferred_resources(Client.direct(server.handler, bootstrap.SYSTEM))

    found = {(row.group, row.plural): row for row in asyncio.run(scenario())}
    assert found["autoscaling", "horizontalpodautoscalers"].version == "v2"
    deployments, ours = found["apps", "deployments"], resources.named("deployments", "apps")
    for field in ("version", "kind", "namespaced", "short_names", "categories"):
        assert getattr(deployments, field) == getattr(ours, field), field
    assert set(deployments.verbs) == set(ours.verbs)
    assert {sub.name for sub in deployments.subresources} == {"scale", "status"}
    assert not [name for _, name in found if "/" in name]


GROUPS = {
    "/apis": {
        "groups": [
            {
                "name": group,
                "preferredVersion": {"groupVersion": f"{group}/v1", "version": "v1"},
                "versions": [
                    {"groupVersion": f"{group}/{version}", "version": version} for version in ("v1", "v1beta1")
                ],
            }
            for group in ("well.example.com", "ill.example.com")
        ]
    },
    "/api/v1": {"resources": []},
}
ROW = {"kind": "Thing", "singularName": "thing", "namespaced": True, "verbs": ["get", "list"]}
GROUPS["/apis/well.example.com/v1"] = {"resources": [{"name": "things", **ROW}]}
GROUPS["/apis/well.example.com/v1beta1"] = {"resources": [{"name": "things", **ROW}, {"name": "olds", **ROW}]}


async def two_groups(request: Request) -> Answer:
    """A server one of whose groups is served by somebody who is away."""
    found = GROUPS.get(request.path)
    return Response(503, b"") if found is None else Response(200, orjson.dumps(found), "application/json")


def test_a_group_that_does_not_answer_is_left_out_and_the_others_are_not() -> None:
    found = asyncio.run(preferred_resources(Client.direct(two_groups, None)))
    assert [(row.plural, row.version) for row in found] == [("things", "v1"), ("olds", "v1beta1")]


def test_without_the_list_of_groups_nothing_is_concluded() -> None:
    async def away(request: Request) -> Answer:
        return Response(503, b"")

    with pytest.raises(ServiceUnavailable):
        asyncio.run(preferred_resources(Client.direct(away, None)))
