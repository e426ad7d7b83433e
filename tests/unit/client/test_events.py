"""Events on a real API server: counted, thinned out, never in the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops import bootstrap
from kubepy.client import events
from kubepy.client.client import Client, Object
from kubepy.client.events import EventRecorder
from kubepy.client.transport import Reply, Unreachable

EVENTS = resources.named("events")


def pod(name: str = "web") -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"}}


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[Client, EventRecorder]]:
    async with in_process() as server:
        client = Client.direct(server.handler, bootstrap.SYSTEM)
        recorder = EventRecorder(client, "tester", "host-1")
        yield client, recorder
        await recorder.close()


async def stored(client: Client, holds: Callable[[list[Object]], bool]) -> list[Object]:
    """The events, as soon as they are as wanted."""
    async with asyncio.timeout(5):
        while not holds(found := (await client.list(EVENTS, "default"))["items"]):
            await asyncio.sleep(0.005)
    return found


def run(scenario: Callable[[Client, EventRecorder], Awaitable[None]]) -> None:
    async def body() -> None:
        async with recording() as (client, recorder):
            await scenario(client, recorder)

    asyncio.run(body())


def test_an_event_says_who_tells_what_of_whom() -> None:
    async def scenario(client: Client, recorder: EventRecorder) -> None:
        recorder.event(pod(), "Warning", "Failed", "it broke", field_path="spec.containers{c}")
        (event,) = await stored(client, lambda found: len(found) == 1)
        assert event["involvedObject"] == {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": "web",
            "namespace": "default",
            "uid": "uid-web",
            "fieldPath": "spec.containers{c}",
        }
        told = [event[field] for field in ("type", "reason", "message", "count")]
        assert told == ["Warning", "Failed", "it broke", 1]
        assert event["source"] == {"component": "tester", "host": "host-1"}
        assert event["metadata"]["name"].startswith("web.")

    run(scenario)


def test_the_same_fact_again_raises_the_count() -> None:
    async def scenario(client: Client, recorder: EventRecorder) -> None:
        for _ in range(5):
            recorder.event(pod(), "Normal", "Pulled", "the image")
        recorder.event(pod(), "Normal", "Pulled", "another image")
        recorder.event(pod("db"), "Normal", "Pulled", "the image")
        found = await stored(client, lambda found: sum(event["count"] for event in found) == 7)
        assert sorted(event["count"] for event in found) == [1, 1, 5]

    run(scenario)


def test_a_fact_whose_event_has_expired_makes_another() -> None:
    async def scenario(client: Client, recorder: EventRecorder) -> None:
        recorder.event(pod(), "Normal", "Pulled", "the image")
        (first,) = await stored(client, lambda found: len(found) == 1)
        await client.delete(EVENTS, first["metadata"]["name"], "default")
        recorder.event(pod(), "Normal", "Pulled", "the image")
        (second,) = await stored(client, lambda found: len(found) == 1)
        assert second["metadata"]["uid"] != first["metadata"]["uid"]
        assert second["count"] == 1

    run(scenario)


def test_who_floods_is_thinned_out_and_others_are_heard() -> None:
    async def scenario(client: Client, recorder: EventRecorder) -> None:
        for number in range(100):
            recorder.event(pod("loud"), "Normal", "Spam", f"number {number}")
        recorder.event(pod("quiet"), "Normal", "Started", "once")

        def quiet_is_heard(found: list[Object]) -> bool:
            return any(event["involvedObject"]["name"] == "quiet" for event in found)

        found = await stored(client, quiet_is_heard)
        assert sum(event["involvedObject"]["name"] == "loud" for event in found) == 25

    run(scenario)


def test_a_long_message_is_cut_to_what_the_server_takes() -> None:
    async def scenario(client: Client, recorder: EventRecorder) -> None:
        recorder.event(pod(), "Normal", "Long", "x" * 5000)
        (event,) = await stored(client, lambda found: len(found) == 1)
        assert len(event["message"]) == 1024

    run(scenario)


class Nowhere:
    """A transport whose server is away."""

    asked = 0

    async def request(self, *_: object) -> Reply:
        self.asked += 1
        raise Unreachable("gone")

    def stream(self, *_: object) -> None:
        raise Unreachable("gone")

    async def close(self) -> None:
        """Nothing is held."""


def test_telling_never_fails_and_never_waits(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(events, "_BURST", 1e6)

    async def scenario() -> int:
        way = Nowhere()
        recorder = EventRecorder(Client(way), "tester")  # type: ignore[arg-type]
        for number in range(events._QUEUE_MOST + 5):
            recorder.event(pod(), "Normal", "Spam", f"number {number}")
        while way.asked < events._QUEUE_MOST:
            await asyncio.sleep(0)
        await recorder.close()
        return way.asked

    assert asyncio.run(scenario()) == events._QUEUE_MOST
    (record,) = caplog.records  # one line, however many there were
    assert record.fields == {"dropped": 5}  # type: ignore[attr-defined]
