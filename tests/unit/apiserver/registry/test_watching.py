"""What a watch holds that never began."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from kubepy.api import resources
from kubepy.api.errors import InternalError
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.http.negotiation import PLAIN
from kubepy.apiserver.http.request_info import parse_request_info
from kubepy.apiserver.registry import watching
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.converting import Converter
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib.clock import SYSTEM
from kubepy.lib.http import Request
from tests.unit.apiserver.asking import Asker, on_server


class Away:
    """A conversion webhook that does not answer."""

    async def call(
        self, target: Target, review: dict[str, Any], *, timeout_s: float | None = None, most: int = 0
    ) -> Any:
        raise InternalError("no answer")


CONFIG = {"clientConfig": {"url": "https://127.0.0.1/"}, "conversionReviewVersions": ["v1"]}


def test_a_watch_whose_objects_cannot_be_converted_leaves_nothing_behind() -> None:
    async def run() -> None:
        async with asyncio.timeout(20), in_process() as server:
            pods = server.engine.of(resources.named("pods"))
            pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
            await server.client.create(pods.resource, {"apiVersion": "v1", "kind": "Pod", **pod}, namespace="default")
            converted = replace(
                pods, resource=replace(pods.resource, version="v2"), converter=Converter(Away(), CONFIG)
            )
            request = Request("GET", "/api/v1/pods", "watch=1&resourceVersion=1&fieldSelector=status.phase%3DRunning")
            params = request.params() | {"resourceVersion": [str(pods.cache.revision)]}
            info = parse_request_info(request, params)
            ctx = Context(request, info, params, UserInfo("u"), PLAIN, SYSTEM.now())
            with pytest.raises(InternalError):
                await watching.watch(converted, ctx, lambda obj, is_first: obj, 60)
            assert pods.cache.watchers == 0

    uvloop.run(run())


@pytest.mark.parametrize("accept", ["", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"])
def test_a_watch_tells_how_far_it_is_before_its_time_is_over(monkeypatch: pytest.MonkeyPatch, accept: str) -> None:
    monkeypatch.setattr(watching, "_LAST_BOOKMARK_S", 0.9)

    async def test(ask: Asker) -> None:
        made = await ask("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "a"}})
        version = made.body["metadata"]["resourceVersion"]
        path = f"/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion={version}"
        assert (await ask("GET", path, accept=accept)).body == []
        [mark] = (await ask("GET", f"{path}&allowWatchBookmarks=true", accept=accept)).body
        assert mark["type"] == "BOOKMARK"
        assert int(mark["object"]["metadata"]["resourceVersion"]) >= int(version)

    on_server(test)
