"""What went wrong with a call, in the words of upstream's client: users and their tests look for them. Pure.

Source: client-go rest/request.go (transformResponse), apimachinery pkg/api/errors (NewGenericServerResponse), and the
texts of Go's net, net/http and crypto/tls.
"""

import errno
import ssl

import aiohttp
import orjson
from yarl import URL

from kubepy.api.errors import ApiError, from_status
from kubepy.apiserver.webhooks.places import NoPlace
from kubepy.apiserver.webhooks.target import Target

_SHOWN_MOST = 2048
_UNKNOWN_AUTHORITY = frozenset((2, 18, 19, 20, 21))
_EXPIRED, _NOT_YET, _WRONG_NAME, _WRONG_ADDRESS = 10, 9, 62, 64
_SENTENCES = {
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "the server has asked for the client to provide credentials"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    405: ("MethodNotAllowed", "the server does not allow this method on the requested resource"),
    406: ("NotAcceptable", "the server was unable to respond with a content type that the client supports"),
    409: ("Conflict", "the server reported a conflict"),
    415: ("UnsupportedMediaType", "the body of the request was in an unknown format"),
    422: ("Invalid", "the server rejected our request due to an error in our request"),
    429: (
        "TooManyRequests",
        "the server has received too many requests and has asked us to try again later",
    ),
    500: ("InternalError", ""),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: (
        "Timeout",
        "the server was unable to return a response in the time allotted, but may still be processing the request",
    ),
}


def of_way(target: Target, fault: BaseException, address: str) -> str:
    """Why the webhook could not be asked; `address` is the host and port that were meant."""
    if isinstance(fault, TimeoutError):
        return "context deadline exceeded"
    inner: BaseException = fault
    while isinstance(inner, aiohttp.ClientConnectorError):
        inner = inner.os_error
    if isinstance(inner, aiohttp.ClientConnectorCertificateError):
        inner = inner.certificate_error
    if isinstance(inner, NoPlace):
        return str(inner)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: {_of_certificate(target, inner)}"
    if isinstance(inner, ssl.SSLError):
        return f"tls: {(inner.reason or str(inner)).lower().replace('_', ' ')}"
    if isinstance(fault, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {address.rpartition(':')[0].strip('[]')}: no such host"
    if isinstance(inner, ConnectionRefusedError):
        return f"dial tcp {address}: connect: connection refused"
    if isinstance(fault, aiohttp.ClientConnectorError):
        return f"dial tcp {address}: {getattr(inner, 'strerror', None) or inner}"
    if isinstance(fault, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(inner, ConnectionResetError) or getattr(inner, "errno", None) == errno.ECONNRESET:
        return "read: connection reset by peer"
    return str(fault) or type(fault).__name__


def _of_certificate(target: Target, fault: ssl.SSLCertVerificationError) -> str:
    code = fault.verify_code
    if code in _UNKNOWN_AUTHORITY:
        return "x509: certificate signed by unknown authority"
    if code in (_EXPIRED, _NOT_YET):
        return "x509: certificate has expired or is not yet valid"
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        name = target.service.host if target.service is not None else URL(target.url).host
        return f"x509: certificate is not valid for {name}"
    return f"x509: {fault.verify_message}"


def of_answer(status: int, body: bytes) -> ApiError | None:
    """The error that an answer stands for; None where it is a good one."""
    if 200 <= status <= 206:
        return None
    told = _status_in(body)
    if told is not None:
        return from_status(told)
    reason, sentence = _SENTENCES.get(status, ("", "the server responded with the status code but did not return more"))
    text = body[:_SHOWN_MOST].decode(errors="replace").strip()
    if status >= 500 and status not in (503, 504):
        said = text or "unknown"
        reason, sentence = "InternalError", f"an error on the server ({_quoted(said)}) has prevented the request"
        sentence += " from succeeding"
    elif status not in _SENTENCES:
        sentence = f"the server responded with the status code {status} but did not return more information"
    elif status in (400, 403) and text:
        sentence = text
    causes = [{"reason": "UnexpectedServerResponse", "message": text or "unknown"}]
    return from_status({"code": status, "reason": reason, "message": sentence, "details": {"causes": causes}})


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _status_in(body: bytes) -> dict[str, object] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(found, dict) and found.get("kind") == "Status" and found.get("status") != "Success":
        return found
    return None
