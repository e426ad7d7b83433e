"""Large bodies of YAML and protobuf, and who is served beside them."""

import asyncio

from tests.unit.apiserver.asking import Asker, on_server
from tests.unit.apiserver.http.protobuf_library import write

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
YAML, APPLY = "application/yaml", "application/apply-patch+yaml"
LARGE_YAML = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large}\ndata:\n" + b"".join(
    b"  key-%d: some text of no importance\n" % number for number in range(6000)
)
LARGE = write(
    "core.v1.ConfigMap",
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "large"},
        "data": {f"key-{number}": "some text of no importance" for number in range(6000)},
    },
)


def test_others_are_answered_while_a_large_message_is_read() -> None:
    async def test(ask: Asker) -> None:
        creating = asyncio.create_task(ask("POST", MAPS, LARGE, kind=PROTOBUF))
        await asyncio.sleep(0)
        assert (await ask("GET", "/version")).status == 200
        assert not creating.done()
        made = await creating
        assert (made.status, len(made.body["data"])) == (201, 6000)

    on_server(test)


def test_a_large_message_that_is_none_is_refused_as_a_small_one() -> None:
    async def test(ask: Asker) -> None:
        broken = await ask("POST", MAPS, LARGE[:-10], kind=PROTOBUF)
        assert (broken.status, broken.body["reason"]) == (400, "BadRequest")
        assert "unexpected EOF" in broken.body["message"]
        broken = await ask("POST", MAPS, LARGE.replace(b"key-1\x12", b"key-1\x10", 1), kind=PROTOBUF)
        assert broken.status == 400
        assert broken.body["message"].startswith('ConfigMap in version "v1" cannot be handled as a ConfigMap: ')

    on_server(test)


def test_others_are_answered_while_large_yaml_is_read() -> None:
    async def test(ask: Asker) -> None:
        twice = LARGE_YAML + b"  key-1: again\n"
        creating = asyncio.create_task(ask("POST", f"{MAPS}?fieldValidation=Strict", twice, kind=YAML))
        await asyncio.sleep(0)
        assert (await ask("GET", "/version")).status == 200
        assert not creating.done()
        refused = await creating
        assert refused.status == 400
        assert 'line 6005: key "key-1" already set in map' in refused.body["message"]

    on_server(test)


def test_large_yaml_means_what_a_small_one_means() -> None:
    async def test(ask: Asker) -> None:
        made = await ask("POST", MAPS, LARGE_YAML, kind=YAML)
        assert (made.status, len(made.body["data"])) == (201, 6000)
        applied = await ask("PATCH", f"{MAPS}/large?fieldManager=a&force=true", LARGE_YAML + b"  b: c\n", kind=APPLY)
        assert (applied.status, len(applied.body["data"])) == (200, 6001)
        for kind, method, path in ((YAML, "POST", MAPS), (APPLY, "PATCH", f"{MAPS}/large?fieldManager=a")):
            broken = await ask(method, path, LARGE_YAML + b"  b: [", kind=kind)
            assert broken.status == 400
            assert "error converting YAML to JSON: yaml: " in broken.body["message"]

    on_server(test)
