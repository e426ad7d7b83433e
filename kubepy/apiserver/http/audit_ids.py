"""The name of a request: what its sender called it, or a new one; the answer and the audit log tell it.

Source: apiserver pkg/endpoints/filters/audit_init.go.
"""

import random

from kubepy.lib.http import Request

HEADER = "Audit-Id"
_AUDIT_ID = "audit.id"


def audit_id(request: Request) -> str:
    """The request's name, the same each time."""
    found: str | None = request.context.get(_AUDIT_ID)
    if found is None:
        found = request.context[_AUDIT_ID] = request.headers.get(HEADER) or new_audit_id()
    return found


def new_audit_id() -> str:
    """A random UUID; it names a request and guards nothing, so that it need not cost a system call."""
    bits = f"{random.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"
