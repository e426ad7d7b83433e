"""Which webhook is meant, and how to show oneself to it: read from a clientConfig or from a kubeconfig file. Pure.

A Target is a value: equal ones share connections.
Source: apiserver pkg/util/webhook/{client,webhook}.go.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubepy.api.meta import Object
from kubepy.lib.kubeconfig import RestConfig

_HTTPS = 443


class BadTarget(ValueError):
    """The configuration names no webhook that could be called."""


@dataclass(frozen=True, slots=True)
class ServiceReference:
    """A Service's port."""

    namespace: str
    name: str
    port: int = _HTTPS

    @property
    def host(self) -> str:
        """The name that its certificate must have."""
        return f"{self.name}.{self.namespace}.svc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a webhook is; `url` is whole also where a Service is meant, whose endpoints are then dialed for it."""

    url: str
    service: ServiceReference | None = None
    ca: bytes = b""
    """Certificates (PEM) that the webhook's must end in; empty: the system's."""
    certificate: bytes = b""
    """This server's own certificate (PEM), for webhooks that want one; `key` is its key."""
    key: bytes = b""
    token: str = ""
    token_file: str = ""
    """Read anew for each call, for tokens that rotate; wins over `token`."""
    insecure: bool = False
    """Whether any certificate is good; only a kubeconfig file can say so."""


def from_client_config(config: Object) -> Target:
    """The target of a webhook configuration's or a CustomResourceDefinition's clientConfig. Raises BadTarget."""
    ca = _decoded(config.get("caBundle"))
    if service := config.get("service"):
        place = ServiceReference(service["namespace"], service["name"], int(service.get("port") or _HTTPS))
        path = (service.get("path") or "").lstrip("/")
        return Target(url=f"https://{place.host}:{place.port}/{path}", service=place, ca=ca)
    url = config.get("url")
    if not url:
        raise BadTarget("webhook configuration must have either service or URL")
    try:
        parts = urlsplit(url)
    except ValueError as fault:
        raise BadTarget(f"Unparsable URL: {fault}") from fault
    if not parts.netloc:
        raise BadTarget(f"Unparsable URL: {url}")
    return Target(url=url, ca=ca)


def from_kubeconfig(config: RestConfig) -> Target:
    """The target of the file that --authentication-token-webhook-config-file and its like name."""
    return Target(
        url=config.server,
        ca=config.ca or b"",
        certificate=config.client_certificate or b"",
        key=config.client_key or b"",
        token=config.token or "",
        token_file=config.token_file or "",
        insecure=config.insecure,
    )


def _decoded(bundle: str | None) -> bytes:
    try:
        return base64.b64decode(bundle or "", validate=False)
    except binascii.Error as fault:
        raise BadTarget(f"caBundle is not base64: {fault}") from fault
