"""What is noted of the use of tokens in Secrets."""

import asyncio
from typing import Any

from kubepy.api.errors import AlreadyExists, NotFound
from kubepy.api.resources import Resource
from kubepy.apiserver.authn.legacy_uses import LAST_USED, LastUses

Object = dict[str, Any]


class Writer:
    """`written` are the names and patches; the Secret `gone` is gone."""

    def __init__(self) -> None:
        self.made: list[Object] = []
        self.written: list[tuple[str, Object]] = []

    async def create(self, resource: Resource, obj: Object) -> Object:
        self.made.append(obj)
        raise AlreadyExists("made before")

    async def patch(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        if name == "gone":
            raise NotFound("gone")
        self.written.append((name, patch))
        return {}


def secret(name: str, last: str = "") -> Object:
    labels = {LAST_USED: last} if last else {}
    return {"metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": labels}}


def test_a_use_is_written_once_a_day_and_since_when_that_is_done() -> None:
    writer = Writer()

    async def main() -> None:
        uses = LastUses(writer)
        uses.note(secret("gone"), "2026-01-02")
        for _ in range(3):
            uses.note(secret("fresh"), "2026-01-02")
        uses.note(secret("old", "2026-01-01"), "2026-01-02")
        uses.note(secret("today", "2026-01-02"), "2026-01-02")
        uses.note(secret("tomorrow", "2026-01-03"), "2026-01-02")
        running = asyncio.ensure_future(uses.run())
        while len(writer.written) < 2:
            await asyncio.sleep(0)
        running.cancel()

    asyncio.run(main())
    assert [name for name, _ in writer.written] == ["fresh", "old"]
    assert writer.written[0][1] == {"metadata": {"uid": "uid-fresh", "labels": {LAST_USED: "2026-01-02"}}}
    [tracking] = writer.made
    assert tracking["metadata"]["name"] == "kube-apiserver-legacy-service-account-token-tracking"
    assert set(tracking["data"]) == {"since"}
