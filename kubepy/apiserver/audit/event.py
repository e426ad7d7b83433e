"""One audit event as upstream writes it. Pure.

Source: apiserver pkg/audit/request.go; pkg/apis/audit/v1/types.go; pkg/endpoints/filters/authn_audit.go.
"""

import ipaddress
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
_USER_AGENT_MOST = 1024
SENT = "audit.sent"
"""Where in a request's context the object in its body is, if that was read before."""
_UNAUTHORIZED = 401
_DELETES = frozenset(("delete", "deletecollection"))
_SENDS_OBJECTS = frozenset(("create", "update"))
_WRITES = frozenset(("create", "update", "patch", "delete", "deletecollection"))


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a request when it was answered.

    `user` is who asks, None where nobody was authenticated; `acting` the user that the request counts as; `decision`
    None where it did not come to one.
    """

    audit_id: str
    request: Request
    info: RequestInfo
    received: datetime
    verdict: Verdict
    user: UserInfo | None = None
    acting: UserInfo | None = None
    decision: Decision | None = None


def make_event(record: Record, stage: str, now: datetime, answer: Answer | None) -> Object:
    """The event of a stage; `answer` is there from ResponseStarted on."""
    request, info = record.request, record.info
    event: Object = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": record.verdict.level,
        "auditID": record.audit_id,
        "stage": stage,
        "requestURI": f"{request.path}?{request.query}" if request.query else request.path,
        "verb": info.verb,
        "user": record.user.to_wire() if record.user else {},
        "sourceIPs": source_ips(request),
        "userAgent": user_agent(request),
    }
    if record.acting is not None and record.acting != record.user:
        event["impersonatedUser"] = record.acting.to_wire()
    if constraint := request.context.get(CONSTRAINT):
        event["authenticationMetadata"] = {"impersonationConstraint": constraint}
    if info.is_resource:
        event["objectRef"] = object_ref(info)
    if answer is not None:
        event["responseStatus"] = response_status(record, answer)
        _add_objects(event, record, stage, answer)
    event["requestReceivedTimestamp"] = rfc3339_micro(record.received)
    event["stageTimestamp"] = rfc3339_micro(now)
    if answer is not None:
        annotations = annotations_of(record.decision) if record.decision is not None else {}
        annotations |= _said_by_admission(record)
        if annotations:
            event["annotations"] = annotations
    return event


def source_ips(request: Request) -> list[str]:
    """The addresses that proxies say the request came from, then the one that it did come from."""
    found = [ip for part in request.headers.get("X-Forwarded-For", "").split(",") if (ip := _address(part))]
    real = _address(request.headers.get("X-Real-Ip", ""))
    if real and real not in found:
        found.append(real)
    if request.remote and request.remote not in found[-1:]:
        found.append(request.remote)
    return found


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return ""


def user_agent(request: Request) -> str:
    """What the client calls itself, not for ever."""
    said = request.headers.get("User-Agent", "")
    return said if len(said) <= _USER_AGENT_MOST else said[:_USER_AGENT_MOST] + "...TRUNCATED"


def failed_authentication(request: Request) -> str:
    """By what a request that was not authenticated tried to be."""
    scheme, space, _ = request.headers.get("Authorization", "").strip().partition(" ")
    tried = [scheme.lower()] if space and scheme.lower() in ("basic", "bearer") else []
    if "access_token" in request.params():
        tried.append("access_token")
    if request.peer_certificate is not None:
        tried.append("x509")
    return f"Authentication failed, {'attempted: ' + ', '.join(tried) if tried else 'no credentials provided'}"


def _said_by_admission(record: Record) -> dict[str, str]:
    """What plug-ins and webhooks noted; patches only where the policy wants bodies."""
    noted: dict[str, str] = record.request.context.get(ANNOTATIONS) or {}
    if record.verdict.level in _WITH_BODIES:
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


def response_status(record: Record, answer: Answer) -> Object:
    """Code, and what the Status says where the answer is one: a failure, or the end of what was deleted."""
    status: Object = {"metadata": {}, "code": answer.status}
    if answer.status == _UNAUTHORIZED and record.user is None:
        return {**status, "message": failed_authentication(record.request)}
    if not isinstance(answer, Response) or not (answer.status >= 400 or record.info.verb in _DELETES):
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
    # What is called YAML is mostly JSON; the rest may be made to burst parsers, and is left out.
    is_json = "json" in content_type or "yaml" in content_type
    parse = parse_protobuf if "protobuf" in content_type else orjson.loads if is_json else None
    if not body or parse is None:
        return None
    try:
        return parse(body)
    except (ValueError, RecursionError):
        return None


def sent_in(request: Request) -> Any:
    """The object in a request's body, or None; what has been read of it before is in the request's context."""
    if SENT in request.context:
        return request.context[SENT]
    return parse_body(request.body, request.headers.get("Content-Type", "application/json"))


def _add_objects(event: Object, record: Record, stage: str, answer: Answer) -> None:
    info, request, level = record.info, record.request, record.verdict.level
    if not info.is_resource:
        return
    if info.verb in _WRITES and (level in _WITH_BODIES or info.verb in _SENDS_OBJECTS):
        sent = sent_in(request)
        if info.verb in _SENDS_OBJECTS and isinstance(sent, dict):
            event["objectRef"] = _completed(event["objectRef"], sent)
        if sent is not None and level in _WITH_BODIES:
            event["requestObject"] = _trimmed(sent, record.verdict)
    if level == "RequestResponse" and stage == "ResponseComplete" and isinstance(answer, Response):
        body = parse_body(_joined(answer), answer.content_type)
        if body is not None:
            event["responseObject"] = _trimmed(body, record.verdict)


def _completed(ref: Object, sent: Object) -> Object:
    """The reference with what only the object that was sent tells: the name of a new one, its uid and version."""
    found = sent.get("metadata")
    metadata = found if isinstance(found, dict) else {}
    more = {
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {**{key: value for key, value in more.items() if value}, **ref}


def _trimmed(body: Any, verdict: Verdict) -> Any:
    if verdict.omit_managed_fields and isinstance(body, dict):
        for obj in (body, *(body.get("items") or ())):
            if isinstance(obj, dict) and isinstance(obj.get("metadata"), dict):
                obj["metadata"].pop("managedFields", None)
    return body


def _joined(answer: Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
