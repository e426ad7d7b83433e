"""Which form an answer takes (JSON or YAML; whole, Table or metadata only) and which form a body came in.

Pure. What Accept asks for most among what can be served wins, but protobuf: that is for who takes nothing else, since
JSON is what is stored. Bodies may be protobuf (see `protobuf.py`).
Source: apiserver pkg/endpoints/handlers/negotiation; responsewriters/writers.go for what is pretty by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from kubepy.api.errors import NotAcceptable, UnsupportedMediaType

JSON, YAML = "application/json", "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = f"{JSON}, {YAML}, {PROTOBUF}"
_STREAMED = f"{JSON};stream=watch, {PROTOBUF};stream=watch"
_PRODUCED = frozenset((JSON, YAML, PROTOBUF, "*/*"))
_SHAPES = frozenset(("Table", "PartialObjectMetadata", "PartialObjectMetadataList"))
_META_VERSIONS = frozenset(("v1", "v1beta1"))
_PRETTY_AGENTS = ("curl", "Wget", "Mozilla/5.0")


@dataclass(frozen=True, slots=True)
class Form:
    """How to answer. `shape` is empty for the object itself, else a kind of meta.k8s.io at `shape_version`."""

    yaml: bool = False
    protobuf: bool = False
    pretty: bool = False
    shape: str = ""
    shape_version: str = ""

    @property
    def content_type(self) -> str:
        return PROTOBUF if self.protobuf else YAML if self.yaml else JSON

    @property
    def is_plain(self) -> bool:
        """Stored bytes can be sent as they are."""
        return not (self.shape or self.yaml or self.protobuf or self.pretty)


PLAIN = Form()


@lru_cache(512)
def parse_accept(accept: str, *, tables: bool = True) -> Form | None:
    """The form asked for most among those that can be served; None when there is none."""
    ranges = sorted(filter(None, map(_range, accept.split(","))), key=lambda found: found[0])
    found = [form for _, media, options in ranges if (form := _form(media, options)) is not None]
    forms = [form for form in found if tables or form.shape != "Table"]
    return next((form for form in forms if not form.protobuf), forms[0] if forms else None)


def _range(clause: str) -> tuple[tuple[float, bool, bool], str, dict[str, str]] | None:
    """(rank, media type, parameters) of one part of Accept: what is wanted more comes first, wildcards last."""
    media, *parts = [part.strip() for part in clause.split(";")]
    options = dict(part.split("=", 1) for part in parts if "=" in part)
    try:
        quality = float(options.get("q", 1))
    except ValueError:
        quality = 1.0
    kind, _, inner = media.partition("/")
    return ((-quality, kind == "*", inner == "*"), media, options) if quality > 0 else None


def _form(media: str, options: Mapping[str, str]) -> Form | None:
    yaml, protobuf = media == YAML, media == PROTOBUF
    if not yaml and not protobuf and media not in (JSON, "*/*", "application/*"):
        return None
    if options.get("stream", "watch") != "watch" or options.get("sv"):
        return None
    shape = options.get("as", "")
    if not shape:
        return Form(yaml=yaml, protobuf=protobuf)
    known = shape in _SHAPES and options.get("g") == "meta.k8s.io" and options.get("v") in _META_VERSIONS
    if not known or (protobuf and shape == "Table"):
        return None
    return Form(yaml=yaml, protobuf=protobuf, shape=shape, shape_version=options["v"])


def _is_true(text: str) -> bool:
    """As Go's ParseBool, where what does not parse is false."""
    return text in ("1", "t", "T", "true", "TRUE", "True")


def negotiate(headers: Mapping[str, str], params: Mapping[str, list[str]], *, tables: bool = True) -> Form:
    """The form of the answer to a request; without `tables` none is a Table. Raises NotAcceptable."""
    accept = headers.get("Accept")
    form = parse_accept(accept, tables=tables) if accept and accept != JSON else PLAIN
    if form is None:
        raise not_acceptable()
    pretty = params.get("pretty")
    wanted = _is_true(pretty[0]) if pretty and pretty[0] else headers.get("User-Agent", "").startswith(_PRETTY_AGENTS)
    return replace(form, pretty=True) if wanted else form


def not_produced(accept: str, *, listed: bool) -> NotAcceptable | None:
    """The refusal of a path of built-in kinds, which is told by media types alone; None if one of `accept` is there.

    `listed` is the path of a collection. Source: go-restful's route selection, which comes before the handlers.
    """
    if any(clause.partition(";")[0].strip() in _PRODUCED for clause in accept.split(",")):
        return None
    available = f"{ACCEPTED}, {_STREAMED}" if listed else ACCEPTED
    return NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {available}", details={})


def not_acceptable(*, streams: bool = False) -> NotAcceptable:
    """What asks for no form that there is; a watch comes in fewer forms."""
    return NotAcceptable(f"only the following media types are accepted: {_STREAMED if streams else ACCEPTED}")


def body_type(headers: Mapping[str, str]) -> str:
    """JSON, YAML or PROTOBUF; without a Content-Type it is JSON. Raises UnsupportedMediaType."""
    media = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media in ("", JSON):
        return JSON
    if media in (YAML, PROTOBUF):
        return media
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {ACCEPTED}"
    )
