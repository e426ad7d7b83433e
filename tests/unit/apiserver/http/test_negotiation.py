"""Which form an answer takes."""

import pytest
from multidict import CIMultiDict

from kubepy.api.errors import NotAcceptable, UnsupportedMediaType
from kubepy.apiserver.http.negotiation import JSON, PLAIN, PROTOBUF, YAML, Form, body_type, negotiate

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def form(accept: str | None, agent: str = "", **params: list[str]) -> Form:
    headers = CIMultiDict({"User-Agent": agent})
    if accept is not None:
        headers["Accept"] = accept
    return negotiate(headers, params)


@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/json", "application/json, */*", "application/*", "text/html,*/*;q=0.8",
               "application/vnd.kubernetes.protobuf,application/json"]
)  # fmt: skip
def test_json_is_what_nearly_everybody_gets(accept: str | None) -> None:
    assert form(accept) is PLAIN or form(accept) == PLAIN


def test_the_first_servable_form_wins() -> None:
    assert form(f"{TABLE},application/json") == Form(shape="Table", shape_version="v1")
    assert form(f"application/json,{TABLE}") == PLAIN
    assert form("application/json;as=Table;v=v9;g=meta.k8s.io,application/json") == PLAIN
    assert form("application/yaml") == Form(yaml=True)


@pytest.mark.parametrize("accept", ["text/html", "application/cbor", "application/json;as=Bogus"])
def test_what_cannot_be_served_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        form(accept)


def test_what_is_wanted_more_comes_first() -> None:
    assert form("application/json;q=0.1,application/yaml;q=0.9") == Form(yaml=True)
    assert form("*/*,application/yaml") == Form(yaml=True)
    assert form("application/yaml;q=0,application/json") == PLAIN
    assert form(PROTOBUF) == Form(protobuf=True)
    assert form(f"{PROTOBUF},application/json;q=0.1") == PLAIN


def test_people_with_curl_get_it_indented() -> None:
    assert form("*/*", "curl/8.0").pretty
    assert not form("*/*", "curl/8.0", pretty=["false"]).pretty
    assert form(None, pretty=["1"]).pretty
    assert not form(None, pretty=[""]).pretty
    assert not form(None, pretty=["yes"]).pretty


def test_bodies_are_known_by_their_media_type() -> None:
    assert body_type(CIMultiDict()) == JSON
    assert body_type(CIMultiDict({"Content-Type": "application/json; charset=utf-8"})) == JSON
    assert body_type(CIMultiDict({"content-type": "application/yaml"})) == YAML
    assert body_type(CIMultiDict({"Content-Type": PROTOBUF})) == PROTOBUF
    with pytest.raises(UnsupportedMediaType):
        body_type(CIMultiDict({"Content-Type": "text/plain"}))
