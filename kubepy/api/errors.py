"""The faults of the API: one tree of exceptions, each with its HTTP code, reason and Status form both ways.

Source: Kubernetes API conventions, "Response Status Kind"; apimachinery pkg/api/errors and util/validation/field.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field. `reason` is the cause's reason (`FieldValueRequired`...), `message` its full text."""

    field: str
    reason: str
    message: str

    def cause(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class Rendered(str):
    """A bad value that is written as upstream shows it already."""

    __slots__ = ()


def rendered(value: Any) -> Rendered:
    """A value as JSON with its fields in the order that they have here, which is Go's. Any depth will do."""
    return Rendered(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def render_value(value: Any) -> str:
    """A bad value as upstream's messages show it: JSON-quoted text, plain scalars, JSON for the rest."""
    if isinstance(value, Rendered):
        return str(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()  # Go sorts the keys of maps


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {render_value(value)}: {detail}")


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(field, "FieldValueTypeInvalid", f"Invalid value: {render_value(value)}: {detail}")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    values = ", ".join(f'"{v}"' for v in supported)
    tail = f": supported values: {values}" if values else ""
    return FieldError(field, "FieldValueNotSupported", f"Unsupported value: {render_value(value)}{tail}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {render_value(value)}")


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


def not_found(field: str, value: Any) -> FieldError:
    return FieldError(field, "FieldValueNotFound", f"Not found: {render_value(value)}")


def too_long(field: str, limit: int) -> FieldError:
    return FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> FieldError:
    noun = "item" if limit == 1 else "items"
    return FieldError(field, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} {noun}")


class ApiError(Exception):
    """A request that the API refuses. `details` is the Status's details; `retry_after_s` asks for another try.

    Empty details are told where they are given, as upstream tells them of what it refuses in general. `metadata` is the
    Status's own: the token of a list that expired.
    """

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self._tells_details = details is not None or retry_after_s is not None
        self.metadata = metadata or {}
        if retry_after_s is not None:
            self.details["retryAfterSeconds"] = retry_after_s

    @property
    def retry_after_s(self) -> int | None:
        """Seconds until another try may help, or None."""
        return self.details.get("retryAfterSeconds")

    def status(self) -> Status:
        """The Status object that tells a client of this fault."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.metadata),
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
            **({"details": self.details} if self.details or self._tells_details else {}),
            "code": self.code,
        }


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class Gone(ApiError):
    code, reason = 410, "Gone"


class Expired(Gone):
    reason = "Expired"


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


_KINDS: list[type[ApiError]] = [*ApiError.__subclasses__(), Expired]
_BY_REASON = {kind.reason: kind for kind in _KINDS}
_BY_CODE = {kind.code: kind for kind in reversed(_KINDS)}


def from_status(status: Mapping[str, Any]) -> ApiError:
    """The exception that a Status object stands for; reason first, code where the reason is unknown."""
    code = int(status.get("code") or 500)
    kind = _BY_REASON.get(status.get("reason", "")) or _BY_CODE.get(code, ApiError)
    error = kind(status.get("message", ""), details=status.get("details"))
    if kind is ApiError and code != ApiError.code:
        error.code = code  # type: ignore[misc]  # a code that no class stands for is kept on the instance
    return error


def qualified(group: str, plural: str) -> str:
    """`deployments.apps`, or `pods` in the core group: how messages name a resource."""
    return f"{plural}.{group}" if group else plural


def _details(group: str, kind: str, name: str) -> dict[str, Any]:
    return {k: v for k, v in (("name", name), ("group", group), ("kind", kind)) if v}


def object_not_found(group: str, plural: str, name: str) -> NotFound:
    return NotFound(f'{qualified(group, plural)} "{name}" not found', details=_details(group, plural, name))


def already_exists(group: str, plural: str, name: str) -> AlreadyExists:
    return AlreadyExists(f'{qualified(group, plural)} "{name}" already exists', details=_details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str) -> Conflict:
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return Conflict(message, details=_details(group, plural, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid_object(group: str, kind: str, name: str, faults: Iterable[FieldError]) -> Invalid:
    """422 for an object of `kind` (the Kind, not the plural) with all its faults as causes.

    A fault that was found more than once is a cause each time, but told once in the message.
    """
    faults = list(faults)
    told = list(dict.fromkeys(map(str, faults)))
    text = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
    details = {**_details(group, kind, name), "causes": [fault.cause() for fault in faults]}
    return Invalid(f'{qualified(group, kind)} "{name}" is invalid: {text}', details=details)


def forbidden_object(group: str, plural: str, name: str, why: str) -> Forbidden:
    target = f'{qualified(group, plural)} "{name}"' if name else qualified(group, plural)
    return Forbidden(f"{target} is forbidden: {why}", details=_details(group, plural, name))
