"""Audit events on their way to another server: together, not too many, and never in a request's way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from kubepy.api.errors import InternalError
from kubepy.apiserver.audit.metrics import AuditMetrics
from kubepy.apiserver.audit.webhook import AuditWebhook, Batching, batches
from kubepy.apiserver.webhooks.client import CallError

Object = dict[str, Any]


class Collector:
    """A server that is told; it stumbles as often as `stumbles` says."""

    def __init__(self, stumbles: int = 0) -> None:
        self.lists: list[Object] = []
        self.stumbles = stumbles

    async def tell(self, body: bytes) -> None:
        if self.stumbles:
            self.stumbles -= 1
            raise CallError("stumbled", InternalError("stumbled"))
        self.lists.append(orjson.loads(body))

    @property
    def numbers(self) -> list[list[int]]:
        return [[event["number"] for event in one["items"]] for one in self.lists]


class Slow(Collector):
    """One that takes nothing before it is `open`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open = 0, asyncio.Event()

    async def tell(self, body: bytes) -> None:
        self.asked += 1
        await self.open.wait()
        await super().tell(body)


def running(
    batching: Batching, collector: Collector, test: Callable[[AuditWebhook], Awaitable[None]]
) -> tuple[Collector, AuditMetrics]:
    """Runs a test with a webhook, which is closed at its end."""
    metrics = AuditMetrics()

    async def main() -> None:
        webhook = AuditWebhook(collector.tell, batching, metrics)
        sender = asyncio.ensure_future(webhook.run()) if not batching.waits else None
        await test(webhook)
        if sender is not None:
            sender.cancel()
        await webhook.close()

    asyncio.run(main())
    return collector, metrics


def test_events_go_together_when_there_are_enough_and_the_rest_at_the_end() -> None:
    async def test(webhook: AuditWebhook) -> None:
        for number in range(5):
            webhook.write({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "number": number})
        while len(collector.lists) < 2:
            await asyncio.sleep(0)

    collector = Collector()
    running(Batching(most=2), collector, test)
    assert collector.numbers == [[0, 1], [2, 3], [4]]
    assert collector.lists[0]["kind"] == "EventList"
    assert collector.lists[0]["items"][0] == {"number": 0}


def test_an_event_that_is_alone_waits_only_for_a_while() -> None:
    async def test(webhook: AuditWebhook) -> None:
        webhook.write({"number": 1})
        while not collector.lists:
            await asyncio.sleep(0)

    collector = Collector()
    running(Batching(wait_s=0.001), collector, test)
    assert collector.numbers == [[1]]


def test_what_finds_the_buffer_full_is_counted_and_let_go() -> None:
    async def test(webhook: AuditWebhook) -> None:
        for number in range(3):
            webhook.write({"number": number})

    collector, metrics = running(Batching(buffer=2, most=2), Collector(), test)
    assert collector.numbers == [[0, 1]]
    assert metrics.errors["webhook"] == 1


@pytest.mark.parametrize(("stumbles", "lost"), [(2, 0), (5, 1)])
def test_a_server_that_stumbles_is_told_again_but_not_for_ever(stumbles: int, lost: int) -> None:
    async def test(webhook: AuditWebhook) -> None:
        webhook.write({"number": 0})

    collector, metrics = running(Batching(first_pause_s=0.0), Collector(stumbles), test)
    assert metrics.errors["webhook"] == lost
    assert collector.numbers == [[0]] * (1 - lost)


def test_a_request_waits_for_its_events_where_that_is_wanted() -> None:
    async def test(webhook: AuditWebhook) -> None:
        webhook.write({"number": 0})
        await webhook.settle()
        assert collector.numbers == [[0]]

    collector = Collector()
    running(Batching(waits=True), collector, test)


def test_a_request_that_is_given_up_does_not_take_the_events_of_others_along() -> None:
    async def test(webhook: AuditWebhook) -> None:
        for number in range(2):
            webhook.write({"number": number})
        waiting = [asyncio.ensure_future(webhook.settle()) for _ in range(2)]
        while not collector.asked:
            await asyncio.sleep(0)
        waiting[0].cancel()
        collector.open.set()
        await waiting[1]
        assert collector.numbers == [[0, 1]]

    collector = Slow()
    running(Batching(waits=True), collector, test)


def test_batches_are_cut_where_they_are_too_large() -> None:
    assert list(batches([b"aa", b"bb", b"c"], 4)) == [[b"aa", b"bb"], [b"c"]]
    assert list(batches([b"aaaaaa", b"b"], 4)) == [[b"aaaaaa"], [b"b"]]
    assert list(batches([], 4)) == []
