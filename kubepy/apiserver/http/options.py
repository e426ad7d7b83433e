"""The options of the verbs (ListOptions, CreateOptions, DeleteOptions...): parsed from query and body, and checked.

Messages are upstream's. A parameter that is given twice counts once: its first value.
Source: apimachinery pkg/apis/meta/v1/validation, pkg/apis/meta/internalversion/validation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubepy.api import selectors
from kubepy.api.errors import (
    BadRequest,
    FieldError,
    Invalid,
    forbidden,
    invalid,
    invalid_object,
    not_supported,
    required,
    too_long,
)
from kubepy.api.selectors import EVERY_FIELD, EVERYTHING, FieldSelector, Selector
from kubepy.apiserver.http.request_info import is_on

Params = Mapping[str, list[str]]
_MANAGER_LIMIT = 128
_INTEGER = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 1000
"""Python minds the length of what it reads as a number; leading zeros are any number's."""
_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"
_NOT_WITH_CONTINUE = "resourceVersionMatch is forbidden when continue is provided"


def first(params: Params, name: str) -> str:
    """A parameter's value, or the empty string."""
    values = params.get(name)
    return values[0] if values else ""


def flag(params: Params, name: str) -> bool:
    """A boolean parameter; one that is not there is false."""
    values = params.get(name)
    return values is not None and is_on(values[0])


def parse_int(text: str) -> int:
    """A decimal int64 as Go's ParseInt takes it. Raises BadRequest with its text."""
    if not _INTEGER.fullmatch(text):
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > _MOST_DIGITS or not -(2**63) <= int(text) < 2**63:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


@dataclass(slots=True)
class ListOptions:
    """How to list or watch. `resource_version` stays text: empty, "0" and a number mean three things.

    `send_initial_events` of a watch that does not say from where is set: it begins with what is there.
    """

    selector: Selector = EVERYTHING
    fields: FieldSelector = EVERY_FIELD
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    match: str = ""
    timeout_s: int | None = None
    bookmarks: bool = False
    send_initial_events: bool | None = None


_NO_LIST_OPTIONS = ListOptions()


def parse_list_options(params: Params, *, watch: bool = False) -> ListOptions:
    """Raises BadRequest on what cannot be parsed, Invalid on what does not go together."""
    if not params and not watch:
        return _NO_LIST_OPTIONS
    options = ListOptions()
    try:
        if text := first(params, "labelSelector"):
            options.selector = selectors.parse_label_selector(text)
        if text := first(params, "fieldSelector"):
            options.fields = selectors.parse_field_selector(text)
    except ValueError as fault:
        raise BadRequest(str(fault)) from fault
    if text := first(params, "limit"):
        options.limit = max(0, parse_int(text))
    if text := first(params, "timeoutSeconds"):
        options.timeout_s = parse_int(text)
    options.continue_token = first(params, "continue")
    options.resource_version = first(params, "resourceVersion")
    options.match = first(params, "resourceVersionMatch")
    options.bookmarks = flag(params, "allowWatchBookmarks")
    if "sendInitialEvents" in params:
        options.send_initial_events = flag(params, "sendInitialEvents")
    elif watch and not options.match and options.resource_version in ("", "0"):
        options.send_initial_events, options.match = True, _NOT_OLDER
    faults = _watch_faults(options) if watch else _list_faults(options)
    if faults:
        raise invalid_object("meta.k8s.io", "ListOptions", "", faults)
    return options


def _watch_faults(options: ListOptions) -> list[FieldError]:
    faults: list[FieldError] = []
    match = options.match
    if options.send_initial_events is not None and match != _NOT_OLDER:
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        faults.append(forbidden("resourceVersionMatch", why))
    if not match:
        return faults
    if options.send_initial_events is None:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        faults.append(forbidden("resourceVersionMatch", why))
    if match != _NOT_OLDER:
        faults.append(not_supported("resourceVersionMatch", match, [_NOT_OLDER]))
    if options.continue_token:
        faults.append(forbidden("resourceVersionMatch", _NOT_WITH_CONTINUE))
    return faults


def _list_faults(options: ListOptions) -> list[FieldError]:
    faults: list[FieldError] = []
    match, version = options.match, options.resource_version
    if match:
        if not version:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            faults.append(forbidden("resourceVersionMatch", why))
        if options.continue_token:
            faults.append(forbidden("resourceVersionMatch", _NOT_WITH_CONTINUE))
        if match not in (_EXACT, _NOT_OLDER):
            faults.append(not_supported("resourceVersionMatch", match, [_EXACT, _NOT_OLDER, ""]))
        if match == _EXACT and version == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            faults.append(forbidden("resourceVersionMatch", why))
    if options.send_initial_events is not None:
        faults.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return faults


@dataclass(slots=True)
class WriteOptions:
    """What create, update and patch have in common. `validation` is Strict, Warn or Ignore."""

    dry_run: bool = False
    validation: str = "Warn"
    manager: str = ""
    force: bool | None = None


_NO_WRITE_OPTIONS = WriteOptions()
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


def parse_write_options(params: Params, kind: str, *, apply: bool = False) -> WriteOptions:
    """`kind` is CreateOptions, UpdateOptions or PatchOptions. Raises Invalid."""
    if not params and not apply:
        return _NO_WRITE_OPTIONS
    faults: list[FieldError] = []
    options = WriteOptions(dry_run=bool(params.get("dryRun")), manager=first(params, "fieldManager"))
    if kind == "PatchOptions" and "force" in params:
        options.force = flag(params, "force")
        if not apply:
            faults.append(forbidden("force", "may not be specified for non-apply patch"))
    if apply and not options.manager:
        faults.append(required("fieldManager", "is required for apply patch"))
    faults += _manager_faults(options.manager)
    faults += dry_run_faults(params.get("dryRun") or [])
    options.validation = first(params, "fieldValidation") or "Warn"
    if options.validation not in _VALIDATIONS:
        faults.append(not_supported("fieldValidation", options.validation, _VALIDATIONS))
    if faults:
        raise invalid_object("meta.k8s.io", kind, "", faults)
    return options


def _manager_faults(manager: str) -> list[FieldError]:
    """At most 128 bytes, all of them printable."""
    if manager.isascii() and manager.isprintable() and len(manager) <= _MANAGER_LIMIT:
        return []
    faults = [too_long("fieldManager", _MANAGER_LIMIT)] if len(manager.encode()) > _MANAGER_LIMIT else []
    at = 0
    for character in manager:
        if not character.isprintable():
            why = f"invalid character U+{ord(character):04X} (at position {at})"
            faults.append(invalid("fieldManager", manager, why))
        at += len(character.encode())
    return faults


def dry_run_faults(values: list[str]) -> list[FieldError]:
    """Faults of a dryRun parameter or field: only All is known."""
    if any(value != "All" for value in values):
        shown = "[]string{" + ", ".join(f'"{value}"' for value in values) + "}"
        text = f'Unsupported value: {shown}: supported values: "All"'
        return [FieldError("dryRun", "FieldValueNotSupported", text)]
    return []


@dataclass(slots=True)
class DeleteOptions:
    """How to delete. `propagation` is Orphan, Background, Foreground, or None for the kind's own default."""

    dry_run: bool = False
    grace_period_s: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    accept_with_202: bool = False


def parse_delete_options(params: Params, body: Mapping[str, Any] | None) -> DeleteOptions:
    """From the body, decoded, where there is one, else from the query, as upstream. Raises BadRequest, Invalid."""
    raw: Mapping[str, Any] = body if body is not None else _delete_options_of_query(params)
    faults: list[FieldError] = []
    orphan, policy = raw.get("orphanDependents"), raw.get("propagationPolicy")
    if orphan is not None and policy is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        faults.append(FieldError("propagationPolicy", "FieldValueInvalid", f'Invalid value: "{policy}": {why}'))
    elif policy is not None and policy not in ("Orphan", "Background", "Foreground"):
        faults.append(not_supported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]))
    faults += dry_run_faults(raw.get("dryRun") or [])
    if faults:
        raise invalid_object("meta.k8s.io", "DeleteOptions", "", faults)
    preconditions = raw.get("preconditions") or {}
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    return DeleteOptions(
        dry_run=bool(raw.get("dryRun")),
        grace_period_s=raw.get("gracePeriodSeconds"),
        propagation=policy,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        accept_with_202=orphan is False,
    )


def _delete_options_of_query(params: Params) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    if "dryRun" in params:
        raw["dryRun"] = params["dryRun"]
    if text := first(params, "gracePeriodSeconds"):
        raw["gracePeriodSeconds"] = parse_int(text)
    if text := first(params, "propagationPolicy"):
        raw["propagationPolicy"] = text
    if text := first(params, "orphanDependents"):
        raw["orphanDependents"] = is_on(text)
    return raw


def require_uint(text: str) -> int:
    """A resourceVersion as a number; "" and "0" are 0. Raises an Invalid as upstream words it."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise BadResourceVersion(text, "invalid syntax")
    if len(text) > _MOST_DIGITS or int(text) >= 2**64:
        raise BadResourceVersion(text, "value out of range")
    return int(text)


class BadResourceVersion(Invalid):
    """A resourceVersion that is no number: upstream answers 500 without a reason (its storage's InvalidError)."""

    code, reason = 500, ""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {why}')
