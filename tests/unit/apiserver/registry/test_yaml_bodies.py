"""Large YAML bodies, and who is served beside them."""

import asyncio

import pytest

from kubepy.apiserver.registry.yaml_bodies import parse_yaml
from tests.unit.apiserver.asking import Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"
YAML, APPLY = "application/yaml", "application/apply-patch+yaml"
LARGE = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large}\ndata:\n" + b"".join(
    b"  key-%d: some text of no importance\n" % number for number in range(6000)
)


def test_others_are_answered_while_a_large_body_is_read() -> None:
    async def test(ask: Asker) -> None:
        twice = LARGE + b"  key-1: again\n"
        creating = asyncio.create_task(ask("POST", f"{MAPS}?fieldValidation=Strict", twice, kind=YAML))
        await asyncio.sleep(0)
        assert (await ask("GET", "/version")).status == 200
        assert not creating.done()
        refused = await creating
        assert refused.status == 400
        assert 'line 6005: key "key-1" already set in map' in refused.body["message"]

    on_server(test)


def test_a_large_body_means_what_a_small_one_means() -> None:
    async def test(ask: Asker) -> None:
        made = await ask("POST", MAPS, LARGE, kind=YAML)
        assert (made.status, len(made.body["data"])) == (201, 6000)
        applied = await ask("PATCH", f"{MAPS}/large?fieldManager=a&force=true", LARGE + b"  b: c\n", kind=APPLY)
        assert (applied.status, len(applied.body["data"])) == (200, 6001)
        for kind, method, path in ((YAML, "POST", MAPS), (APPLY, "PATCH", f"{MAPS}/large?fieldManager=a")):
            broken = await ask(method, path, LARGE + b"  b: [", kind=kind)
            assert broken.status == 400
            assert "error converting YAML to JSON: yaml: " in broken.body["message"]

    on_server(test)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", "mapping values are not allowed in this context"),
        ("{", "line 1: did not find expected node content"),
        ("a: b\nc: d: e", "line 2: mapping values are not allowed in this context"),
        ("a:\n\t- b", "line 2: found character that cannot start any token"),
    ],
)
def test_faults_are_told_where_go_s_parser_sees_them(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^error converting YAML to JSON: yaml: {told}$"):
        parse_yaml(text.encode())
