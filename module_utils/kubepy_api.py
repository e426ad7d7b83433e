"""Talk to the API server with the standard library alone: what the roles need of a client, and no more.

Credentials come out of a kubeconfig with everything embedded, as role pki writes it (and kubeadm). Requests are
few and small: one connection each.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import tempfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 15.0


class ApiFault(Exception):
    """The API server refused: its HTTP code, reason and message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Access:
    """Where the API server is and who we are there; empty bytes are not used."""

    server: str
    ca: bytes
    certificate: bytes = b""
    key: bytes = b""


def parse_access(text: str) -> Access:
    """The access that a kubeconfig grants; ValueError when something is not embedded in it."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.strip().lstrip("- ").partition(":")
        if colon and value.strip():
            found.setdefault(name, value.strip().strip("\"'"))
    try:
        data = [
            base64.b64decode(found[f"{name}-data"])
            for name in ("certificate-authority", "client-certificate", "client-key")
        ]
        return Access(found["server"], *data)
    except KeyError as missing:
        raise ValueError(f"the kubeconfig lacks {missing}: only embedded certificates are understood") from missing


def context_of(access: Access) -> ssl.SSLContext:
    """TLS settings; the key touches the disk only in a private file that is gone at once."""
    context = ssl.create_default_context(cadata=access.ca.decode())
    if access.certificate:
        handle, path = tempfile.mkstemp()
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(access.certificate + b"\n" + access.key)
            context.load_cert_chain(path)
        finally:
            os.unlink(path)
    return context


class Api:
    """The few verbs that modules use. Raises ApiFault on refusals, OSError when nobody answers."""

    def __init__(self, access: Access) -> None:
        self.address = urlsplit(access.server)
        self.context = context_of(access)

    def raw(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """One request; code and body of the answer."""
        where = (self.address.hostname or "", self.address.port or 443)
        connection = http.client.HTTPSConnection(*where, timeout=TIMEOUT_S, context=self.context)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(
                method, path, body=data, headers={"Content-Type": content_type, "Accept": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as fault:
            raise OSError(f"{self.address.netloc} answered no HTTP: {fault!r}") from fault
        finally:
            connection.close()

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """One request; the object in the answer."""
        code, data = self.raw(method, path, body, content_type)
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            answer = {"message": data[:200].decode(errors="replace")}
        if code >= 400:
            raise ApiFault(code, answer.get("reason", ""), answer.get("message", ""))
        return answer

    def find(self, path: str) -> Any:
        """The object at a path; None if there is none."""
        try:
            return self.call("GET", path)
        except ApiFault as fault:
            if fault.code != 404:
                raise
            return None


def load(path: str) -> Api:
    """An Api for a kubeconfig file."""
    with open(path, encoding="utf-8") as stream:
        return Api(parse_access(stream.read()))


def collection_path(api_version: str, plural: str, namespace: str | None) -> str:
    """The path of a resource's collection."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
