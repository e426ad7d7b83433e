"""Which form an answer takes (JSON or YAML; whole, Table or metadata only) and which form a body came in.

Pure. The first media type of Accept that can be served wins; protobuf is never among them, so clients that offer JSON
beside it get JSON. Bodies may be protobuf (see `protobuf.py`).
Source: apiserver pkg/endpoints/handlers/negotiation; responsewriters/writers.go for what is pretty by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from kubepy.api.errors import NotAcceptable, UnsupportedMediaType
from kubepy.apiserver.request_info import is_true

JSON, YAML = "application/json", "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = f"{JSON}, {YAML}"
_YAML_NAMES = frozenset((YAML, "application/x-yaml", "text/yaml"))
_SHAPES = frozenset(("Table", "PartialObjectMetadata", "PartialObjectMetadataList"))
_META_VERSIONS = frozenset(("v1", "v1beta1"))
_PRETTY_AGENTS = ("curl", "Wget", "Mozilla/5.0")


@dataclass(frozen=True, slots=True)
class Form:
    """How to answer. `shape` is empty for the object itself, else a kind of meta.k8s.io at `shape_version`."""

    yaml: bool = False
    pretty: bool = False
    shape: str = ""
    shape_version: str = ""

    @property
    def content_type(self) -> str:
        return YAML if self.yaml else JSON

    @property
    def is_plain(self) -> bool:
        """Stored bytes can be sent as they are."""
        return not (self.shape or self.yaml or self.pretty)


PLAIN = Form()


@lru_cache(512)
def parse_accept(accept: str) -> Form | None:
    """The form asked for first among those that can be served; None when there is none."""
    for clause in accept.split(","):
        media, *parts = [part.strip() for part in clause.split(";")]
        options = dict(part.split("=", 1) for part in parts if "=" in part)
        if options.get("q") in ("0", "0.0"):
            continue
        yaml = media in _YAML_NAMES
        if not yaml and media not in (JSON, "*/*", "application/*"):
            continue
        shape = options.get("as", "")
        if not shape:
            return Form(yaml=yaml)
        if shape in _SHAPES and options.get("g") == "meta.k8s.io" and options.get("v") in _META_VERSIONS:
            return Form(yaml=yaml, shape=shape, shape_version=options["v"])
    return None


def negotiate(headers: Mapping[str, str], params: Mapping[str, list[str]]) -> Form:
    """The form of the answer to a request. Raises NotAcceptable."""
    accept = headers.get("Accept")
    form = parse_accept(accept) if accept and accept != JSON else PLAIN
    if form is None:
        raise NotAcceptable(f"only the following media types are accepted: {ACCEPTED}")
    if pretty := params.get("pretty"):
        wanted = is_true(pretty[0])
    else:
        wanted = headers.get("User-Agent", "").startswith(_PRETTY_AGENTS)
    return replace(form, pretty=True) if wanted else form


def body_type(headers: Mapping[str, str]) -> str:
    """JSON, YAML or PROTOBUF; without a Content-Type it is JSON. Raises UnsupportedMediaType."""
    media = headers.get("Content-Type", "").partition(";")[0].strip()
    if media in ("", JSON):
        return JSON
    if media in _YAML_NAMES:
        return YAML
    if media == PROTOBUF:
        return PROTOBUF
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {ACCEPTED}, {PROTOBUF}"
    )
