"""The rules in CEL of a custom resource: compiled along the schema, run along the object.

    tree = compile_rules(schema)                      # None when there are no rules
    faults = Run(warnings).check(tree, new, old)      # old is ABSENT for a new object

A rule that reads `oldSelf` is run only where there is an old value, unless it says optionalOldSelf. A fault of a value
that has not changed is a warning: it was let in once (ratcheting). All rules together may cost a Budget.
Source: apiextensions-apiserver pkg/apiserver/schema/cel/{compilation,validation}.go.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required
from kubepy.api.validation.crd_paths import field_path
from kubepy.apiserver.cel.environment import Budget, Environment, Program
from kubepy.apiserver.cel.errors import CompileError, CostExceeded, EvaluationError
from kubepy.apiserver.cel.kinds import OptionalOf
from kubepy.apiserver.cel.pacing import Slice
from kubepy.apiserver.cel.schemas import EMBEDDED, Convert, converter, kind_of
from kubepy.apiserver.cel.values import NONE, Optional
from kubepy.apiserver.registry import correlation
from kubepy.apiserver.registry.correlation import ABSENT
from kubepy.apiserver.registry.structural import RULES, has_rules

Schema = Mapping[str, Any]
_MESSAGE_MOST = 5 * 1024
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


@dataclass(slots=True)
class Rule:
    """One rule, with what came of compiling it. `where` is its fieldPath, as faults name it."""

    source: Mapping[str, Any]
    program: Program | None = None
    fault: str | None = None
    message: Program | None = None
    message_fault: str | None = None
    where: str = ""
    where_fault: str | None = None

    @property
    def is_transition(self) -> bool:
        """Whether it compares with what was."""
        return self.program is not None and "oldSelf" in self.program.used

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.source.get("message") or self.source.get("rule") or "").strip()


@dataclass(slots=True)
class Node:
    """The rules of one schema and of all below it."""

    schema: Schema
    rules: list[Rule]
    convert: Convert | None
    properties: dict[str, "Node"] = field(default_factory=dict)
    others: "Node | None" = None
    items: "Node | None" = None

    def is_empty(self) -> bool:
        """Whether there is nothing to run here or below."""
        return not (self.rules or self.properties or self.others or self.items)


def compile_rules(schema: Schema, *, is_resource: bool = True) -> Node | None:
    """The tree of a schema; rules that do not compile are in it with their faults."""
    return _node(schema, is_resource=is_resource) if has_rules(schema) else None


def _node(schema: Schema, *, is_resource: bool) -> Node | None:
    node = Node(schema, _compiled(schema, is_resource=is_resource), converter(schema))
    items, others = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        node.items = _inner(items)
    if isinstance(others, dict):
        node.others = _inner(others)
    for name, inner in (schema.get("properties") or {}).items():
        if (found := _inner(inner)) is not None:
            node.properties[name] = found
    return None if node.is_empty() else node


def _inner(schema: Schema) -> Node | None:
    return _node(schema, is_resource=bool(schema.get(EMBEDDED))) if has_rules(schema) else None


def _compiled(schema: Schema, *, is_resource: bool) -> list[Rule]:
    sources = [source for source in schema.get(RULES) or () if str(source.get("rule") or "").strip()]
    if not sources:
        return []
    kind = kind_of(schema, "selfType", is_resource=is_resource)
    if kind is None:
        keeps = str(bool(schema.get("x-kubernetes-preserve-unknown-fields"))).lower()
        why = (
            f"rule compiler initialization error: rule declared on schema that does not support validation rules type: "
            f"'{schema.get('type') or ''}' x-kubernetes-preserve-unknown-fields: '{keeps}'"
        )
        return [Rule(source, fault=why) for source in sources]
    plain = Environment({"self": kind, "oldSelf": kind})
    lenient = Environment({"self": kind, "oldSelf": OptionalOf(kind)})
    return [_compile(source, schema, lenient if source.get("optionalOldSelf") else plain) for source in sources]


def _compile(source: Mapping[str, Any], schema: Schema, environment: Environment) -> Rule:
    rule = Rule(source)
    try:
        program = environment.compile(source["rule"])
        if program.result_type == "bool":
            rule.program = program
        else:
            rule.fault = "cel expression must evaluate to a bool"
    except CompileError as fault:
        rule.fault = f"compilation failed: {fault.message}"
    if expression := str(source.get("messageExpression") or "").strip():
        try:
            rule.message = environment.compile(expression)
            if rule.message.result_type != "string":
                rule.message, rule.message_fault = None, "messageExpression must evaluate to a string"
        except CompileError as fault:
            rule.message_fault = f"messageExpression compilation failed: {fault.message}"
    if path := str(source.get("fieldPath") or "").strip():
        try:
            rule.where, _ = field_path(path, schema)
        except ValueError as fault:
            rule.where_fault = f"fieldPath must be a valid path: {fault}"
    return rule


class _Stopped(Exception):
    """No further rule is run."""


class Run:
    """One validation of one object. Faults that are let pass go to `warnings`; with a slice it may be TooLong."""

    def __init__(self, warnings: list[str] | None = None, slice_: Slice | None = None) -> None:
        self._budget = Budget()
        self._slice = slice_
        self._warnings = warnings if warnings is not None else []
        self._faults: list[FieldError] = []

    def check(self, tree: Node, new: Any, old: Any = ABSENT, path: str = "") -> list[FieldError]:
        """All faults of the value at a path."""
        with contextlib.suppress(_Stopped):
            self._visit(tree, new, old, path, unchanged=False)
        return self._faults

    def _visit(self, node: Node, new: Any, old: Any, path: str, *, unchanged: bool) -> None:
        if new is None:
            return
        unchanged = unchanged or correlation.is_same(new, old)
        if node.rules:
            self._rules(node, new, old, path, unchanged=unchanged)
        if isinstance(new, list) and node.items is not None:
            before = correlation.elements(node.schema, old)
            for index, each in enumerate(new):
                self._visit(node.items, each, before(each), f"{path}[{index}]", unchanged=unchanged)
        elif isinstance(new, dict):
            for name, each in new.items():
                inner = node.properties.get(name)
                place = f"{path}.{name}" if path else name
                if inner is None and node.others is not None:
                    inner, place = node.others, f"{path}[{name}]"
                if inner is not None:
                    before = correlation.field(node.schema, old, name)
                    self._visit(inner, each, before, place, unchanged=unchanged)

    def _rules(self, node: Node, new: Any, old: Any, path: str, *, unchanged: bool) -> None:
        convert = node.convert
        value = new if convert is None else convert(new)
        before = old if convert is None or old is ABSENT else convert(old)
        shown = str(node.schema.get("type") or "")
        for rule in node.rules:
            if rule.program is None:
                self._faults.append(invalid(path or "<nil>", shown, f"rule compile error: {rule.fault}"))
                continue
            is_optional = bool(rule.source.get("optionalOldSelf"))
            if rule.is_transition and old in (ABSENT, None) and not is_optional:
                continue
            bindings = _bindings(value, before, is_optional=is_optional)
            if self._holds(rule, bindings, path, shown):
                continue
            fault = self._fault(rule, bindings, path, shown)
            if unchanged and not rule.is_transition:
                self._warnings.append(str(fault))
            else:
                self._faults.append(fault)

    def _holds(self, rule: Rule, bindings: Mapping[str, Any], path: str, shown: str) -> bool:
        """Whether a rule is kept, or has failed with a fault of its own. Raises _Stopped."""
        assert rule.program is not None
        at = path or "<nil>"
        if self._budget.left <= 0:
            self._faults.append(invalid(at, shown, _OUT_OF_BUDGET))
            raise _Stopped
        try:
            return rule.program.evaluate(bindings, self._budget, self._slice) is True
        except CostExceeded as fault:
            why = _OUT_OF_BUDGET
            if self._budget.left > 0:
                why = (
                    f"'{fault.message}': no further validation rules will be run due to call cost exceeds limit for "
                    f"rule: {rule.name}"
                )
            self._faults.append(invalid(at, shown, why))
            raise _Stopped from None
        except EvaluationError as fault:
            why = f"{fault.message} evaluating rule: {rule.name}"
            if fault.message.startswith("no such overload"):
                why = (
                    f"'{fault.message}': call arguments did not match a supported operator, function or macro "
                    f"signature for rule: {rule.name}"
                )
            self._faults.append(invalid(at, shown, why))
            return True

    def _fault(self, rule: Rule, bindings: Mapping[str, Any], path: str, shown: str) -> FieldError:
        at = ".".join(part for part in (path, rule.where) if part) or "<nil>"
        text = self._told(rule, bindings) or str(rule.source.get("message") or "").strip()
        text = text or f"failed rule: {rule.name}"
        match rule.source.get("reason"):
            case "FieldValueForbidden":
                return forbidden(at, text)
            case "FieldValueRequired":
                return required(at, text)
            case "FieldValueDuplicate":
                return duplicate(at, shown)
        return invalid(at, shown, text)

    def _told(self, rule: Rule, bindings: Mapping[str, Any]) -> str:
        """What the messageExpression says, if it says something that can be shown."""
        if rule.message is None:
            return ""
        try:
            text = str(rule.message.evaluate(bindings, self._budget, self._slice)).strip()
        except (EvaluationError, CostExceeded):
            return ""
        return "" if len(text.encode()) > _MESSAGE_MOST or "\n" in text else text


def _bindings(value: Any, before: Any, *, is_optional: bool) -> Mapping[str, Any]:
    is_absent = before is ABSENT or before is None
    if is_optional:
        return {"self": value, "oldSelf": NONE if is_absent else Optional(True, before)}
    return {"self": value} if is_absent else {"self": value, "oldSelf": before}
