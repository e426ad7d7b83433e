"""One audit event as upstream writes it. Pure.

Source: apiserver pkg/audit/request.go; pkg/apis/audit/v1/types.go.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from kubepy.apiserver.admission.attributes import ANNOTATIONS
from kubepy.apiserver.audit.policy import Verdict
from kubepy.apiserver.authn.impersonation import CONSTRAINT
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.http.protobuf_reading import parse_protobuf
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.clock import rfc3339_micro
from kubepy.lib.http import Answer, Request, Response

Object = dict[str, Any]
_WITH_BODIES = ("Request", "RequestResponse")
_PATCHES = "patch.webhook.admission.k8s.io/"
_WRITES = frozenset(("create", "update", "patch", "delete", "deletecollection"))


@dataclass(slots=True)
class Record:
    """What is known of a request while it is answered. `acting` is the user that it counts as."""

    audit_id: str
    request: Request
    info: RequestInfo
    received: datetime
    user: UserInfo | None = None
    acting: UserInfo | None = None
    decision: Decision | None = None


def make_event(record: Record, verdict: Verdict, stage: str, now: datetime, answer: Answer | None) -> Object:
    """The event of a stage; `answer` is there from ResponseStarted on."""
    request, info = record.request, record.info
    event: Object = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": verdict.level,
        "auditID": record.audit_id,
        "stage": stage,
        "requestURI": f"{request.path}?{request.query}" if request.query else request.path,
        "verb": info.verb,
        "user": record.user.to_wire() if record.user else {},
        "sourceIPs": [request.remote] if request.remote else [],
        "userAgent": request.headers.get("User-Agent", ""),
    }
    if record.acting is not None and record.acting != record.user:
        event["impersonatedUser"] = record.acting.to_wire()
    if constraint := request.context.get(CONSTRAINT):
        event["authenticationMetadata"] = {"impersonationConstraint": constraint}
    if info.is_resource:
        event["objectRef"] = object_ref(info)
    if answer is not None:
        event["responseStatus"] = response_status(answer)
        event |= _bodies(record, verdict, stage, answer)
    event["requestReceivedTimestamp"] = rfc3339_micro(record.received)
    event["stageTimestamp"] = rfc3339_micro(now)
    if answer is not None:
        annotations = annotations_of(record.decision) if record.decision is not None else {}
        annotations |= _said_by_admission(record, verdict)
        if annotations:
            event["annotations"] = annotations
    return event


def _said_by_admission(record: Record, verdict: Verdict) -> dict[str, str]:
    """What plug-ins and webhooks noted; patches only where the policy wants bodies."""
    noted: dict[str, str] = record.request.context.get(ANNOTATIONS) or {}
    if verdict.level in _WITH_BODIES:
        return noted
    return {key: value for key, value in noted.items() if not key.startswith(_PATCHES)}


def object_ref(info: RequestInfo) -> Object:
    """What the request is about; empty parts are left out."""
    ref = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name,
        "apiGroup": info.group,
        "apiVersion": info.version,
        "subresource": info.subresource,
    }
    return {key: value for key, value in ref.items() if value}


def response_status(answer: Answer) -> Object:
    """Code, and of a failure what the Status says."""
    status: Object = {"metadata": {}, "code": answer.status}
    if answer.status < 400 or not isinstance(answer, Response):
        return status
    body = parse_body(_joined(answer), answer.content_type)
    if isinstance(body, dict) and body.get("kind") == "Status":
        status |= {key: body[key] for key in ("status", "message", "reason", "details") if key in body}
    return status


def annotations_of(decision: Decision) -> dict[str, str]:
    """How authorization came out."""
    return {
        "authorization.k8s.io/decision": "allow" if decision.allowed else "forbid",
        "authorization.k8s.io/reason": decision.reason,
    }


def parse_body(body: bytes, content_type: str) -> Any:
    """The object in a body of JSON or protobuf, or None."""
    parse = parse_protobuf if "protobuf" in content_type else orjson.loads if "json" in content_type else None
    if not body or parse is None:
        return None
    try:
        return parse(body)
    except ValueError:
        return None


def _bodies(record: Record, verdict: Verdict, stage: str, answer: Answer) -> Object:
    found: Object = {}
    if not record.info.is_resource or verdict.level not in _WITH_BODIES:
        return found
    if record.info.verb in _WRITES:
        sent = parse_body(record.request.body, record.request.headers.get("Content-Type", "application/json"))
        if sent is not None:
            found["requestObject"] = _trimmed(sent, verdict)
    if verdict.level == "RequestResponse" and stage == "ResponseComplete" and isinstance(answer, Response):
        body = parse_body(_joined(answer), answer.content_type)
        if body is not None:
            found["responseObject"] = _trimmed(body, verdict)
    return found


def _trimmed(body: Any, verdict: Verdict) -> Any:
    if verdict.omit_managed_fields and isinstance(body, dict):
        for obj in (body, *(body.get("items") or ())):
            if isinstance(obj, dict) and isinstance(obj.get("metadata"), dict):
                obj["metadata"].pop("managedFields", None)
    return body


def _joined(answer: Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
