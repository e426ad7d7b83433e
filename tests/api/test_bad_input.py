"""Bad input over HTTPS: each kind has its answer, and nothing of it is stored."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.api.serving import Api, on_api

MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
STRICT = f"{MAPS}?fieldValidation=Strict"
UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
TYPE_META = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
MAP = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1"}}'
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter + 1, letter + 1, b",".join([b"*%c" % letter] * 9)) for letter in range(97, 107)
)


def config_map(**fields: Any) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, **fields}).encode()


def ports(port: bytes) -> bytes:
    return b'{"metadata":{"name":"a"},"spec":{"ports":[{"port":' + port + b"}]}}"


TEXTS = {
    "empty": (b"", "unexpected end of JSON input (<empty>)"),
    "an array": (b"[]", f"json: cannot unmarshal array into Go value of type {TYPE_META} (5b5d)"),
    "a string": (b'"x"', "json: cannot unmarshal string into Go value of type struct"),
    "a number": (b"12", "json: cannot unmarshal number into Go value of type struct"),
    "cut short": (MAP[:40], 'unexpected end of JSON input ({"apiVersion":"v1","kind":"Con ...)'),
    "hexadecimal": (b"x" * 31, f"({'78' * 30} ...)"),
    "garbage after it": (MAP + b"x", "invalid character 'x' after top-level value"),
    "two objects": (MAP + b"{}", "invalid character '{' after top-level value"),
    "UTF-16": (MAP.decode().encode("utf-16"), "invalid character 'ÿ' looking for beginning of value"),
    "a byte order mark": (b"\xef\xbb\xbf" + MAP, "invalid character 'ï' looking for beginning of value"),
    "deep": (b'{"metadata":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "exceeded max depth"),
    "deep without end": (b"[" * 100_000, "exceeded max depth"),
    "a number without end": (b'{"x":1' + b"0" * 400 + b"}", "cannot unmarshal number 1000"),
    "no number": (b'{"x":NaN}', "invalid character 'N' looking for beginning of value"),
    "kind of a wrong type": (
        b'{"kind":1}',
        'cannot unmarshal number into Go struct field .kind of type string ({"kind":1})',
    ),
    "apiVersion of a wrong type": (
        config_map(apiVersion={}),
        "cannot unmarshal object into Go struct field .apiVersion",
    ),
}
OTHERS = {
    "null": (MAPS, JSON, b"null", 422, "metadata.name: Required value"),
    "nothing": (MAPS, JSON, b"{}", 422, "metadata.name: Required value"),
    "plain text": (MAPS, "text/plain", MAP, 415, "accepted media types include: application/json, application/yaml"),
    "a form": (MAPS, "application/x-www-form-urlencoded", MAP, 415, "accepted media types include"),
    "no YAML": (MAPS, YAML, b"a: b: c", 400, "error converting YAML to JSON: yaml: mapping values are not allowed"),
    "two documents": (MAPS, YAML, b"a: 1\n---\nb: 2\n", 400, "but found another document"),
    "a YAML bomb": (MAPS, YAML, BOMB, 400, "document contains excessive aliasing"),
    "YAML that contains itself": (MAPS, YAML, b"data: &a {x: *a}", 400, "anchor value contains itself"),
    "YAML that is no JSON": (MAPS, YAML, b"data: {x: .inf}", 400, "json: unsupported value: inf"),
    "a YAML key that is no text": (MAPS, YAML, b"data: {[1]: x}", 400, "error converting YAML to JSON"),
    "a long key": (STRICT, YAML, b'{"' + b"k" * 2000 + b'": 1}', 400, "strict decoding error: unknown field"),
    "deep YAML": (MAPS, YAML, b'{"metadata":' + b"[" * 9999 + b"]" * 9999 + b"}", 400, "exceeded max depth"),
    "no protobuf": (MAPS, PROTOBUF, b"k8s\0garbage", 400, "proto: illegal wireType"),
    "no message of its kind": (
        MAPS, PROTOBUF, b"k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\x02\x08\x01", 400,
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: proto: wrong wireType = 0 for field metadata',
    ),
    "an unknown kind in protobuf": (
        MAPS, PROTOBUF, b"k8s\0\n\t\n\x02v1\x12\x03Foo", 400,
        'Foo in version "v1" cannot be handled as a ConfigMap: no kind "Foo" is registered for version "v1" in scheme',
    ),
    "JSON as protobuf": (MAPS, PROTOBUF, MAP, 400, "expected prefix [107 56 115 0]"),
    "an unknown kind": (MAPS, JSON, config_map(kind="Foo"), 400, 'no kind "Foo" is registered for version "v1"'),
    "another kind": (MAPS, JSON, config_map(kind="Secret"), 400, "unknown conversion"),
    "an unknown version": (MAPS, JSON, config_map(apiVersion="v9"), 400, 'no kind "ConfigMap" is registered for'),
    "another namespace": (
        MAPS, JSON, config_map(metadata={"name": "a", "namespace": "b"}), 400,
        "the namespace of the provided object does not match the namespace sent on the request",
    ),
    "no namespace": ("/api/v1/namespaces/none/configmaps", JSON, MAP, 404, 'namespaces "none" not found'),
    "NUL in a name": (MAPS, JSON, config_map(metadata={"name": "a\0"}), 422, "a lowercase RFC 1123 subdomain"),
    "a float as an integer": (SERVICES, JSON, ports(b"80.0"), 400, "cannot unmarshal number 80.0 into Go struct field"),
    "more than int32": (
        DEPLOYMENTS, JSON, b'{"spec":{"replicas":2147483648}}', 400,
        "cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    "4 MB": (MAPS, JSON, config_map(data={"x": "y" * (4 << 20)}), 413, "Request entity too large: limit is 3145728"),
    "2 MB": (MAPS, JSON, config_map(data={"x": "y" * (2 << 20)}), 422, "[]: Too long: may not be more than 1048576 b"),
    "a field named twice": (
        STRICT, JSON, MAP.replace(b'{"x":"1"}', b'{"x":"1","x":"2"}'), 400,
        'strict decoding error: duplicate field "data.x"',
    ),
    "a key written twice": (STRICT, YAML, b"data: {x: '1', x: '2'}", 400, 'line 1: key "x" already set in map'),
    "unknown fields": (STRICT, JSON, config_map(y=1), 400, 'strict decoding error: unknown field "y"'),
    "an unknown validation": (f"{MAPS}?fieldValidation=x", JSON, MAP, 422, 'supported values: "", "Ignore", "Strict"'),
    "an unknown dry run": (f"{MAPS}?dryRun=x", JSON, MAP, 422, 'supported values: "All"'),
}  # fmt: skip
PATHS = {
    f"{MAPS}/..%2f..%2fx": (404, "could not find"),
    f"{MAPS}/a%00": (404, "not found"),
    f"{MAPS}/%ff": (404, "not found"),
    f"{MAPS}/a%zz": (400, "400 Bad Request"),
    f"{MAPS}%": (400, "400 Bad Request"),
    "/api/v1//configmaps": (404, "could not find"),
    "/api/v1/../v1/namespaces": (404, "could not find"),
    "/api/v1/nothing": (404, "the server could not find the requested resource"),
    "/apis/nothing/v1/things": (404, "404 page not found"),
    f"{MAPS}?labelSelector=a===b": (400, "unable to parse requirement: found '=', expected: identifier"),
    f"{MAPS}?fieldSelector=spec.x=y": (400, '"spec.x" is not a known field selector'),
    f"{MAPS}?limit=x": (400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    f"{MAPS}?limit=9223372036854775808": (400, "value out of range"),
    f"{MAPS}?continue=!": (400, "continue key is not valid"),
    f"{MAPS}?continue=W10": (400, "continue key is not valid"),
    f"{MAPS}?resourceVersion=18446744073709551616": (500, "value out of range"),
}


def run(folder: Path, call: Any) -> None:
    """Makes the call on a server of its own; whatever it was, no ConfigMap is there afterwards."""

    async def test(api: Api) -> None:
        await call(api)
        for path in (MAPS, DEPLOYMENTS):
            _, found = await api.call("GET", path)
            assert found["items"] == []

    on_api(folder, test)


async def send(api: Api, method: str, path: str, media: str | None, body: bytes) -> tuple[int, str]:
    """(status, message) of what is sent as it is."""
    headers = {} if media is None else {"Content-Type": media}
    async with api.session.request(method, URL(api.url + path, encoded=True), data=body, headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text)["message"] if answer.content_type == JSON else text


def test_texts_that_are_no_object(tmp_path: Path) -> None:
    async def call(api: Api) -> None:
        for what, (body, why) in TEXTS.items():
            code, message = await send(api, "POST", MAPS, JSON, body)
            assert (code, message[: len(UNRECOGNIZED)]) == (400, UNRECOGNIZED), what
            assert why in message, what

    run(tmp_path, call)


def test_bodies_that_are_refused(tmp_path: Path) -> None:
    async def call(api: Api) -> None:
        for what, (path, media, body, want, why) in OTHERS.items():
            code, message = await send(api, "POST", path, media, body)
            assert code == want, (what, message)
            assert why in message, (what, message)

    run(tmp_path, call)


def test_addresses_that_lead_nowhere(tmp_path: Path) -> None:
    async def call(api: Api) -> None:
        for path, (want, why) in PATHS.items():
            code, message = await send(api, "GET", path, None, b"")
            assert code == want, (path, message)
            assert why in message, (path, message)

    run(tmp_path, call)


def test_an_update_must_name_what_it_updates(tmp_path: Path) -> None:
    async def call(api: Api) -> None:
        assert await send(api, "PUT", f"{MAPS}/b", JSON, MAP) == (
            400,
            "the name of the object (a) does not match the name on the URL (b)",
        )
        assert (await send(api, "PUT", f"{MAPS}/b", JSON, b"{}"))[0] == 400
        assert (await send(api, "DELETE", f"{MAPS}/a", JSON, b'{"kind":"Pod"}'))[0] == 400
        assert (await send(api, "DELETE", f"{MAPS}/a", JSON, b'{"dryRun":1}'))[0] == 400
        assert (await send(api, "PATCH", f"{MAPS}/a", "text/plain", b"{}"))[0] == 415
        assert (await send(api, "POST", f"{MAPS}/a", JSON, MAP))[0] == 405

    run(tmp_path, call)


def test_a_patch_must_leave_an_object(tmp_path: Path) -> None:
    async def call(api: Api) -> None:
        sets = "/api/v1/namespaces/default/replicationcontrollers"
        made = {"metadata": {"name": "a"}, "spec": {"replicas": 0, "selector": {"a": "b"}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}  # fmt: skip
        assert (await api.call("POST", sets, made))[0] == 201
        body = b'[{"op": "replace", "path": "", "value": []}]'
        for path in (f"{sets}/a", f"{sets}/a/scale", f"{sets}/a/status"):
            assert (await send(api, "PATCH", path, "application/json-patch+json", body))[0] == 400

    run(tmp_path, call)


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    async def call(api: Api) -> None:
        for bad, good in ((b"\xff\xfe", "\ufffd\ufffd"), (b"\xe2\x82", "\ufffd\ufffd"), (b"\\ud800", "\ufffd")):
            body = MAP.replace(b'"1"', b'"' + bad + b'"')
            path = f"{MAPS}?dryRun=All"
            async with api.session.post(api.url + path, data=body, headers={"Content-Type": JSON}) as answer:
                assert (answer.status, (await answer.json())["data"]) == (201, {"x": good})

    run(tmp_path, call)


def test_no_field_name_gets_out_of_its_header(tmp_path: Path) -> None:
    async def call(api: Api) -> None:
        body = config_map(**{'x\r\nSet-Cookie: a=b\r\n\r\n"': 1})
        path = f"{MAPS}?dryRun=All&fieldValidation=Warn"
        async with api.session.post(api.url + path, data=body, headers={"Content-Type": JSON}) as answer:
            assert answer.status == 201
            assert "Set-Cookie" not in answer.headers
            assert "Warning" not in answer.headers

    run(tmp_path, call)


@pytest.mark.parametrize("length", ["Content-Length: 4000", "Transfer-Encoding: chunked"])
def test_a_body_of_which_only_half_comes_is_as_if_none_had_come(tmp_path: Path, length: str) -> None:
    async def call(api: Api) -> None:
        tls = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        tls.load_cert_chain(tmp_path / "admin.crt", tmp_path / "admin.key")
        port = int(api.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        body = MAP if length.startswith("Content") else b"%x\r\n%s\r\n" % (len(MAP), MAP)
        head = f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n{length}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()
        assert await reader.read() == b""
        assert (await api.call("GET", "/readyz"))[0] == 200

    run(tmp_path, call)
