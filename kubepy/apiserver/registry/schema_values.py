"""Whether values are as the schema of a custom resource has them: types, bounds, enums, formats, and logic.

Invariant: faults, their order and which of them are told where logic fails are upstream's. To tell what is wrong with
none of several schemas fitting, it takes the one with most checks passed; so what passes is counted.
What has not changed since it was let in is let pass (ratcheting).
Left to others: what is pruned (structural.py), lists (list_types.py), embedded objects, rules in CEL.
Source: kube-openapi pkg/validation/validate; apiextensions-apiserver pkg/apiserver/validation.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from kubepy.api.errors import FieldError, Rendered, invalid, not_supported, required, too_long, too_many, type_invalid
from kubepy.api.formats import format_of
from kubepy.api.go_values import show_float
from kubepy.apiserver.registry import correlation
from kubepy.apiserver.registry.correlation import ABSENT
from kubepy.apiserver.registry.patterns import matcher

Schema = Mapping[str, Any]
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_SAFE_INTEGER_MOST: Final = 2**53 - 1


def faults_of_value(schema: Schema, value: Any, path: str = "", old: Any = ABSENT) -> list[FieldError]:
    """Every fault of a value, at its field below the path; none of what is as it was in `old`."""
    found = _judge(schema, value, _Place("", old, schema)).faults
    return [replace(fault, field=_joined(path, fault.field.removeprefix("."))) for fault in found]


def _joined(path: str, field: str) -> str:
    return f"{path}.{field}" if path and field else path or field or "<nil>"


@dataclass(slots=True)
class _Result:
    """Faults, each told once however many ways lead to it, in order; and how much was checked and right."""

    faults: dict[FieldError, None] = field(default_factory=dict)
    passed: int = 0

    def add(self, *faults: FieldError) -> None:
        self.faults |= dict.fromkeys(faults)

    def merge(self, other: "_Result") -> None:
        self.faults |= other.faults
        self.passed += other.passed


def _failed(fault: FieldError) -> _Result:
    return _Result({fault: None})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is: what it is called, what was there before, and the schema that says how lists are keyed.

    That schema is the structural one, also where a schema in its logic is judged.
    """

    name: str
    old: Any
    structure: Schema

    def property(self, name: str) -> "_Place":
        """The place of a field that schemas name."""
        inner = (self.structure.get("properties") or {}).get(name) or self._others()
        # The versions that are compared may have been converted to the same one.
        is_type = not self.name and name in ("apiVersion", "kind")
        old = ABSENT if is_type else correlation.field(self.structure, self.old, name)
        return _Place(f"{self.name}.{name}" if self.name else name, old, inner)

    def value_of(self, key: str) -> "_Place":
        """The place of a value in a map."""
        return _Place(f"{self.name}.{key}", correlation.field(self.structure, self.old, key), self._others())

    def elements(self, values: list[Any]) -> Iterator[tuple[Any, "_Place"]]:
        """Each element of a list, with its place."""
        items = self.structure.get("items")
        inner, before = items if isinstance(items, dict) else {}, correlation.elements(self.structure, self.old)
        for index, each in enumerate(values):
            yield each, _Place(f"{self.name}[{index}]", before(each), inner)

    def _others(self) -> Schema:
        others = self.structure.get("additionalProperties")
        return others if isinstance(others, dict) else {}


def _judge(schema: Schema, value: Any, place: _Place) -> _Result:
    result = _Result()
    if (value is None and schema.get("nullable")) or correlation.is_same(value, place.old):
        return result
    if value is None:
        result.merge(_type(schema, value, place))
        result.merge(_enum(schema, value, place))
        return result
    for check in (_type, _logic, *_BY_TYPE.get(type(value), (_enum,))):
        result.merge(check(schema, value, place))
        result.passed += 1
    result.passed += 1 - (not _types(schema)) - (isinstance(value, str) and not format_of(schema))
    return result


def _types(schema: Schema) -> list[str]:
    if schema.get(_INT_OR_STRING):
        return ["integer", "string"]
    return [schema["type"]] if schema.get("type") else []


def _type_of(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", type(None): "null"}
    return names.get(type(value), "number")


def _type(schema: Schema, value: Any, place: _Place) -> _Result:
    """A value of a type that has a format is told to miss that; to upstream, a list may stand for text with one."""
    wanted, found, form = _types(schema), _type_of(value), format_of(schema)
    if not wanted or found in wanted or (found == "integer" and "number" in wanted):
        return _Result(passed=1 if wanted else 0)
    if isinstance(value, float) and value.is_integer() and "integer" in wanted:
        return _Result(passed=1)
    is_of_numbers = "integer" in wanted or "number" in wanted
    if form and isinstance(value, str | list) and not is_of_numbers:
        return _Result(passed=1)
    if form and value is not None and not isinstance(value, str | list):
        return _failed(_mistyped(place, form, _GO_FORMATS.get(type(value), "")))
    return _failed(_mistyped(place, ",".join(wanted), found))


_GO_FORMATS: Final[Mapping[type, str]] = {int: "int64", float: "float64"}
"""The formats that Go's types have by themselves."""


def _mistyped(place: _Place, wanted: str, found: str) -> FieldError:
    text = f"{place.name} in body must be of type {wanted}: {orjson.dumps(found).decode()}"
    return type_invalid(place.name, found, text)


def _enum(schema: Schema, value: Any, place: _Place) -> _Result:
    allowed = schema.get("enum")
    if not allowed or any(_is_equal(value, each) for each in allowed):
        return _Result()
    shown = [each if isinstance(each, str) else orjson.dumps(each).decode() for each in allowed]
    return _failed(not_supported(place.name, value, shown))


def _is_equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _number(schema: Schema, value: float, place: _Place) -> _Result:
    result = _Result(passed=1)
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    bad = value if isinstance(value, int) else Rendered(show_float(value))

    def tell(text: str, bound: float) -> None:
        shown = int(bound) if isinstance(value, int) else show_float(bound)
        result.add(invalid(place.name, bad, f"{place.name} in body should be {text} {shown}"))

    if step is not None and step > 0 and not _is_multiple(value, step):
        tell("a multiple of", step)
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        tell("greater than" if schema.get("exclusiveMinimum") else "greater than or equal to", low)
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        tell("less than" if schema.get("exclusiveMaximum") else "less than or equal to", high)
    return result


def _is_multiple(value: float, step: float) -> bool:
    """Whole numbers are divided as such; fractions of one count as what they are one of."""
    if isinstance(value, int) and step >= 1:
        return value % int(step) == 0
    times = 1 / step * value if step < 1 else value / step
    if not abs(times) <= _SAFE_INTEGER_MOST:  # to upstream, what floats cannot count is no whole number; nor is NaN
        return False
    return math.isclose(times, round(times), rel_tol=1e-9, abs_tol=1e-9)


def _string(schema: Schema, value: str, place: _Place) -> _Result:
    """Length and pattern: the first that is wrong."""
    name = place.name
    if (most := schema.get("maxLength")) is not None and len(value) > most:
        return _failed(too_long(name, most))
    if (least := schema.get("minLength")) is not None and len(value) < least:
        return _failed(invalid(name, value, f"{name} in body should be at least {least} chars long"))
    if (pattern := schema.get("pattern")) and not matcher(pattern)(value):
        return _failed(invalid(name, value, f"{name} in body should match '{pattern}'"))
    return _Result()


def _format(schema: Schema, value: str, place: _Place) -> _Result:
    if not (form := format_of(schema)):
        return _Result()
    from kubepy.apiserver.registry.formats import check_of  # few schemas ask for formats

    check = check_of(form)
    return _Result() if check is None or check(value) else _failed(_mistyped(place, form, value))


def _array(schema: Schema, value: list[Any], place: _Place) -> _Result:
    result = _Result(passed=1)
    if isinstance(items := schema.get("items"), dict):
        for each, at in place.elements(value):
            result.merge(_judge(items, each, at))
    if (least := schema.get("minItems")) is not None and len(value) < least:
        text = f"{place.name} in body should have at least {least} items"
        result.add(invalid(place.name, len(value), text))
    if (most := schema.get("maxItems")) is not None and len(value) > most:
        result.add(too_many(place.name, len(value), most))
    return result


def _object(schema: Schema, value: dict[str, Any], place: _Place) -> _Result:
    count = len(value)
    if (least := schema.get("minProperties")) is not None and count < least:
        text = f"{place.name} in body should have at least {least} properties"
        return _failed(invalid(place.name, count, text))
    if (most := schema.get("maxProperties")) is not None and count > most:
        return _failed(too_many(place.name, count, most))
    result = _Result()
    properties: Mapping[str, Any] = schema.get("properties") or {}
    if isinstance(others := schema.get("additionalProperties"), dict):
        for name in value.keys() - properties.keys():
            result.merge(_judge(others, value[name], place.value_of(name)))
    for name, inner in properties.items():
        if name in value:
            result.merge(_judge(inner, value[name], place.property(name)))
    result.add(*(required(f"{place.name}.{name}") for name in schema.get("required") or () if name not in value))
    return result


def _logic(schema: Schema, value: Any, place: _Place) -> _Result:
    result = _Result(passed=1)
    for name, decide in _JUNCTORS:
        if parts := schema.get(name):
            decide([_judge(part, value, place) for part in parts], result, orjson.dumps(place.name).decode())
    if (part := schema.get("not")) is not None and not _judge(part, value, place).faults:
        result.add(_unfit(f"{orjson.dumps(place.name).decode()} must not validate the schema (not)"))
    return result


def _unfit(text: str) -> FieldError:
    """A fault of logic, which upstream tells at no field."""
    return invalid("", "", text)


def _best(failures: list[_Result]) -> _Result:
    return max(failures, key=lambda failure: failure.passed)


def _any_of(results: list[_Result], into: _Result, name: str) -> None:
    fitting = next((each for each in results if not each.faults), None)
    if fitting is None:
        into.add(_unfit(f"{name} must validate at least one schema (anyOf)"))
    into.merge(fitting or _best(results))


def _one_of(results: list[_Result], into: _Result, name: str) -> None:
    fitting = [each for each in results if not each.faults]
    if len(fitting) != 1:
        found = f"Found {len(fitting)} valid alternatives" if fitting else "Found none valid"
        into.add(_unfit(f"{name} must validate one and only one schema (oneOf). {found}"))
    if len(fitting) < 2:
        into.merge(fitting[0] if fitting else _best(results))


def _all_of(results: list[_Result], into: _Result, name: str) -> None:
    for each in results:
        into.merge(each)
    fitting = sum(not each.faults for each in results)
    if fitting < len(results):
        none = "" if fitting else ". None validated"
        into.add(_unfit(f"{name} must validate all the schemas (allOf){none}"))


_JUNCTORS: Final = (("anyOf", _any_of), ("oneOf", _one_of), ("allOf", _all_of))
_Check = Callable[[Schema, Any, _Place], _Result]
_BY_TYPE: Final[Mapping[type, tuple[_Check, ...]]] = {
    int: (_number, _enum), float: (_number, _enum), str: (_string, _format, _enum), list: (_array, _enum),
    dict: (_enum, _object),
}  # fmt: skip
