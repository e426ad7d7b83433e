"""Label selectors and field selectors: parsed once, then matched against a dict of strings.

Messages are upstream's: they reach users in 400 answers. Requirements are kept sorted by key, so that str() is
canonical and two equal selectors are equal.

Source: apimachinery pkg/labels/selector.go, pkg/fields/selector.go, pkg/apis/meta/v1/helpers.go.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kubepy.api import names

_OPERATORS: Final = ("in", "notin", "=", "==", "!=", "gt", "lt")
_SYMBOLS: Final = {"(", ")", ",", "!", "=", "==", "!=", ">", "<"}
_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))")
_KEYWORDS: Final = {"in", "notin"}
_SPELLED: Final = {"gt": ">", "lt": "<"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. `operator` is one of in, notin, =, ==, !=, gt, lt, exists, !; values are sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        operator = self.operator
        found = labels.get(self.key)
        if operator in ("=", "==", "in"):
            return found is not None and found in self.values
        if operator in ("!=", "notin"):
            return found is None or found not in self.values
        if operator == "exists":
            return found is not None
        if operator == "!":
            return found is None
        return found is not None and self._compares(found)

    def _compares(self, found: str) -> bool:
        try:
            number, limit = int(found), int(self.values[0])
        except ValueError:
            return False
        return number > limit if self.operator == "gt" else number < limit

    def __str__(self) -> str:
        if self.operator == "!":
            return f"!{self.key}"
        if self.operator == "exists":
            return self.key
        values = ",".join(self.values)
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({values})"
        return f"{self.key}{_SPELLED.get(self.operator, self.operator)}{values}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none selects everything, unless `nothing` is set."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        if self.nothing:
            return False
        found = labels or {}
        return all(requirement.matches(found) for requirement in self.requirements)

    @property
    def is_everything(self) -> bool:
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING: Final = Selector()
NOTHING: Final = Selector(nothing=True)


def _field_fault(path: str, value: Any, detail: str) -> ValueError:
    shown = "[" + " ".join(value) + "]" if isinstance(value, tuple) else orjson.dumps(value).decode()
    return ValueError(f"{path}: Invalid value: {shown}: {detail}")


def _requirement(key: str, operator: str, values: Iterable[str]) -> Requirement:
    """A checked requirement; the first fault in upstream's order is raised as ValueError."""
    kept = tuple(sorted(set(values)))
    faults = names.is_qualified_name(key)
    if faults:
        raise _field_fault("key", key, "; ".join(faults))
    _check_count(operator, kept)
    for index, value in enumerate(kept):
        faults = names.is_label_value(value)
        if faults:
            raise _field_fault(f"values[{index}][{key}]", value, "; ".join(faults))
    return Requirement(key, operator, kept)


def _check_count(operator: str, values: tuple[str, ...]) -> None:
    if operator in ("in", "notin"):
        if not values:
            raise _field_fault("values", values, "for 'in', 'notin' operators, values set can't be empty")
    elif operator in ("=", "==", "!="):
        if len(values) != 1:
            raise _field_fault("values", values, "exact-match compatibility requires one single value")
    elif operator in ("exists", "!"):
        if values:
            raise _field_fault("values", values, "values set must be empty for exists and does not exist")
    elif len(values) != 1:
        raise _field_fault("values", values, "for 'Gt', 'Lt' operators, exactly one value is required")
    elif not re.fullmatch(r"[+-]?[0-9]+", values[0]):
        raise _field_fault("values[0]", values[0], "for 'Gt', 'Lt' operators, the value must be an integer")


class _Parser:
    """Recursive descent over the tokens of one selector; `None` is the end of the text."""

    def __init__(self, text: str) -> None:
        self.tokens = [found.group(1) or found.group(2) for found in _TOKEN.finditer(text)]
        self.at = 0

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self) -> str | None:
        token = self.peek()
        self.at += 1
        return token

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while (token := self.peek()) is not None:
            if token in _SYMBOLS and token != "!":
                raise ValueError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except ValueError as fault:
                raise ValueError(f"unable to parse requirement: {fault}") from fault
            token = self.take()
            if token is None:
                break
            if token != ",":
                raise ValueError(f"found '{token}', expected: ',' or 'end of string'")
            after = self.peek()
            if after is None or (after in _SYMBOLS and after != "!"):
                raise ValueError(f"found '{after or ''}', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        token = self.take()
        absent = token == "!"
        if absent:
            token = self.take()
        if token is None or token in _SYMBOLS:
            raise ValueError(f"found '{token or ''}', expected: identifier")
        faults = names.is_qualified_name(token)
        if faults:
            raise _field_fault("key", token, "; ".join(faults))
        if absent:
            return _requirement(token, "!", ())
        if self.peek() in (None, ","):
            return _requirement(token, "exists", ())
        operator = self._operator()
        values = self._values() if operator in ("in", "notin") else [self._value()]
        return _requirement(token, operator, values)

    def _operator(self) -> str:
        token = self.take()
        operator = {">": "gt", "<": "lt"}.get(token or "", token or "")
        if token in ("gt", "lt") or operator not in _OPERATORS:
            raise ValueError(f"found '{token or ''}', expected: {', '.join(_OPERATORS)}")
        return operator

    def _value(self) -> str:
        if self.peek() in (None, ","):
            return ""
        token = self.take() or ""
        if token in _SYMBOLS:
            raise ValueError(f"found '{token}', expected: identifier")
        return token

    def _values(self) -> list[str]:
        token = self.take()
        if token != "(":
            raise ValueError(f"found '{token or ''}' expected: '('")
        values: list[str] = []
        empty = True  # an entry between commas may be empty: "(a,)" selects the empty value too
        while (token := self.take()) != ")":
            if token is None or (token in _SYMBOLS and token != ","):
                raise ValueError(f"found '{token or ''}', expected: ',', ')' or identifier")
            if token != ",":
                if not empty:
                    raise ValueError(f"found '{token}', expected: ',' or ')'")
                values.append(token)
                empty = False
                continue
            if empty:
                values.append("")
            empty = True
            if self.peek() == ")":
                values.append("")
        return values


def parse_label_selector(text: str) -> Selector:
    """The selector in a `labelSelector` query. Raises ValueError with upstream's text."""
    requirements = _Parser(text).parse()
    requirements.sort(key=lambda requirement: requirement.key)
    return Selector(tuple(requirements))


_EXPRESSION_OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """The selector of a LabelSelector object: None selects nothing, the empty one everything. Raises ValueError."""
    if selector is None:
        return NOTHING
    found = [_requirement(key, "=", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        given = expression.get("operator", "")
        operator = _EXPRESSION_OPERATORS.get(given)
        if operator is None:
            raise ValueError(f'"{given}" is not a valid label selector operator')
        found.append(_requirement(expression.get("key", ""), operator, expression.get("values") or ()))
    found.sort(key=lambda requirement: requirement.key)
    return Selector(tuple(found))


def from_map(labels: Mapping[str, str] | None) -> Selector:
    """The selector of a plain map (Services, ReplicationControllers); an empty one selects everything."""
    return Selector(tuple(Requirement(key, "=", (value,)) for key, value in sorted((labels or {}).items())))


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One field requirement; `operator` is = or != (== is read as =)."""

    field: str
    operator: str
    value: str

    def matches(self, fields: Mapping[str, str]) -> bool:
        return (fields.get(self.field, "") == self.value) == (self.operator == "=")

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{escape_field_value(self.value)}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All terms must hold; none selects everything. A field that an object lacks counts as empty."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        return all(term.matches(fields) for term in self.terms)

    def exact(self, field: str) -> str | None:
        """The value that `field` must have, or None when the selector does not pin it."""
        return next((term.value for term in self.terms if term.field == field and term.operator == "="), None)

    @property
    def is_everything(self) -> bool:
        return not self.terms

    def __str__(self) -> str:
        return ",".join(map(str, self.terms))


EVERY_FIELD: Final = FieldSelector()
_TERM = re.compile(r"((?:\\.|[^\\])*?)(!=|==|=)(.*)", re.DOTALL).fullmatch
_UNESCAPED_COMMA = re.compile(r"((?:\\.|[^\\,])*\\?)(?:,|$)", re.DOTALL)


def escape_field_value(value: str) -> str:
    return re.sub(r"([\\,=])", r"\\\1", value)


def _unescape(value: str) -> str:
    out, rest = [], iter(value)
    for character in rest:
        if character == "\\":
            following = next(rest, None)
            if following is None:
                raise ValueError("invalid field selector: unterminated escape sequence")
            if following not in "\\,=":
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{following}")
            character = following
        elif character in ",=":
            raise ValueError(f"invalid field selector: unescaped special character in value: {character}")
        out.append(character)
    return "".join(out)


def parse_field_selector(text: str) -> FieldSelector:
    """The selector in a `fieldSelector` query. Raises ValueError with upstream's text.

    Which fields a resource can be selected by is the resource's business; any name passes here.
    """
    terms = []
    for part in sorted(found.group(1) for found in _UNESCAPED_COMMA.finditer(text)):
        if not part:
            continue
        found = _TERM(part)
        if not found:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append(FieldTerm(found[1], "!=" if found[2] == "!=" else "=", _unescape(found[3])))
    return FieldSelector(tuple(terms))
