"""Large protobuf bodies, and who is served beside them."""

import asyncio

from tests.unit.apiserver.asking import Asker, on_server
from tests.unit.apiserver.http.protobuf_library import write

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
LARGE = write(
    "core.v1.ConfigMap",
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "large"},
        "data": {f"key-{number}": "some text of no importance" for number in range(6000)},
    },
)


def test_others_are_answered_while_a_large_body_is_read() -> None:
    async def test(ask: Asker) -> None:
        creating = asyncio.create_task(ask("POST", MAPS, LARGE, kind=PROTOBUF))
        await asyncio.sleep(0)
        assert (await ask("GET", "/version")).status == 200
        assert not creating.done()
        made = await creating
        assert (made.status, len(made.body["data"])) == (201, 6000)

    on_server(test)


def test_a_large_body_that_is_none_is_refused_as_a_small_one() -> None:
    async def test(ask: Asker) -> None:
        broken = await ask("POST", MAPS, LARGE[:-10], kind=PROTOBUF)
        assert (broken.status, broken.body["reason"]) == (400, "BadRequest")
        assert "unexpected EOF" in broken.body["message"]
        broken = await ask("POST", MAPS, LARGE.replace(b"key-1\x12", b"key-1\x10", 1), kind=PROTOBUF)
        assert broken.status == 400
        assert broken.body["message"].startswith('ConfigMap in version "v1" cannot be handled as a ConfigMap: ')

    on_server(test)
