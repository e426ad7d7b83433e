"""A server that is busy says when to come again: the client does."""

import asyncio

import pytest

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.lib.http import Answer, Request, Response

PODS = resources.named("pods")
BUSY = Response(429, b"Too many requests, please try again later.\n", "text/plain", {"Retry-After": "0"})


def client(*answers: Answer) -> tuple[Client, list[Request]]:
    """A client of a server that gives these answers, the last one for ever; and what it was asked."""
    asked: list[Request] = []

    async def handle(request: Request) -> Answer:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    return Client.direct(handle, "me"), asked


def test_a_request_that_is_told_to_come_later_comes_later() -> None:
    busy, asked = client(BUSY, BUSY, Response(200, b"{}"))
    assert asyncio.run(busy.get(PODS, "a", "default")) == {}
    assert len(asked) == 3


def test_it_does_not_come_for_ever() -> None:
    busy, asked = client(BUSY)
    with pytest.raises(errors.TooManyRequests):
        asyncio.run(busy.get(PODS, "a", "default"))
    assert len(asked) == 11


def test_a_refusal_that_names_no_time_is_final() -> None:
    busy, asked = client(Response(429, b"no"))
    with pytest.raises(errors.TooManyRequests):
        asyncio.run(busy.get(PODS, "a", "default"))
    assert len(asked) == 1
