"""Pages of other origins may ask, if they are allowed to."""

import asyncio

from multidict import CIMultiDict

from kubepy.apiserver.http.browsers import cross_origin, origin_fault, strict_transport
from kubepy.lib.http import Answer, Request, Response


async def serve(request: Request) -> Answer:
    return Response(200, b"", "", {"Own": "header"})


def ask(method: str, origin: str) -> Answer:
    handler = strict_transport(["max-age=1", "preload"], cross_origin([r"^https://[a-z]+\.example$"], serve))
    return asyncio.run(handler(Request(method, "/", headers=CIMultiDict({"Origin": origin}))))


def test_a_page_of_an_allowed_origin_is_answered() -> None:
    headers = ask("GET", "https://a.example").headers
    assert headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert (headers["Own"], headers["Strict-Transport-Security"]) == ("header", "max-age=1; preload")
    asked = ask("OPTIONS", "https://a.example")
    assert (asked.status, "Own" in asked.headers) == (204, False)


def test_a_page_of_another_origin_learns_nothing() -> None:
    for origin in ("https://a.example.org", "http://a.example", ""):
        assert "Access-Control-Allow-Origin" not in ask("GET", origin).headers
    assert ask("OPTIONS", "https://b.other").status == 200


def test_patterns_must_end_where_the_host_does() -> None:
    assert not origin_fault("//a[.]example:")
    assert not origin_fault("//example.com(:|$)")
    assert "does not pin" in origin_fault("a.example$")
    assert "invalid regular expression" in origin_fault("^($")
