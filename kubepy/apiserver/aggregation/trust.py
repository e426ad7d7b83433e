"""The ConfigMap kube-system/extension-apiserver-authentication: whom extension servers are to believe.

It says which authorities make users and which ones make front proxies, and in which headers those name users. Several
servers write it, each adding its own authorities: none takes away another's. The plan is pure.
Source: pkg/controlplane/controller/clusterauthenticationtrust/cluster_authentication_trust_controller.go.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import orjson
from cryptography import x509

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from kubepy.api.meta import Object
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.client.client import Client
from kubepy.lib import log, pki
from kubepy.lib.clock import Clock
from kubepy.storage.base import StoreError

NAME, NAMESPACE = "extension-apiserver-authentication", "kube-system"
_CONFIG_MAPS = resources.named("configmaps")
_PERIOD_S = 60.0
_CLIENT_CA, _PROXY_CA = "client-ca-file", "requestheader-client-ca-file"
_log = log.get(__name__)


def read_trust(config: ApiServerConfig) -> dict[str, str]:
    """What this server would have in the ConfigMap. Raises OSError, PkiError."""
    data: dict[str, str] = {}
    if config.client_ca_file:
        data[_CLIENT_CA] = Path(config.client_ca_file).read_text()
    if config.requestheader_client_ca_file:
        data[_PROXY_CA] = Path(config.requestheader_client_ca_file).read_text()
        for key, values in (
            ("username-headers", config.requestheader_username_headers),
            ("uid-headers", config.requestheader_uid_headers),
            ("group-headers", config.requestheader_group_headers),
            ("extra-headers-prefix", config.requestheader_extra_headers_prefix),
            ("allowed-names", config.requestheader_allowed_names),
        ):
            data[f"requestheader-{key}"] = orjson.dumps(list(values)).decode()
    return data


def plan(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The data to have: what is there with what is lacking."""
    merged = dict(found)
    for key, value in wanted.items():
        known = found.get(key, "")
        if key in (_CLIENT_CA, _PROXY_CA):
            merged[key] = _joined(known, value)
        else:
            merged[key] = orjson.dumps(list(dict.fromkeys([*_listed(known), *_listed(value)]))).decode()
    return merged


def _joined(known: str, mine: str) -> str:
    """Every certificate of both once, those that are there first."""
    certificates: dict[bytes, x509.Certificate] = {}
    for text in (known, mine):
        with suppress(pki.PkiError):
            for one in pki.load_certificates(text.encode()):
                certificates.setdefault(pki.certificate_pem(one), one)
    return b"".join(certificates).decode()


def _listed(text: str) -> list[str]:
    try:
        found = orjson.loads(text or "[]")
    except orjson.JSONDecodeError:
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


async def write(client: Client, wanted: Mapping[str, str]) -> None:
    """Makes the ConfigMap what it should be. Raises ApiError."""
    try:
        found = await client.get(_CONFIG_MAPS, NAME, NAMESPACE)
    except NotFound:
        body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": plan({}, wanted)}
        await client.create(_CONFIG_MAPS, body, NAMESPACE)
        return
    data = plan(found.get("data") or {}, wanted)
    if data != (found.get("data") or {}):
        await client.update(_CONFIG_MAPS, {**found, "data": data})


async def run(client: Client, config: ApiServerConfig, clock: Clock) -> None:
    """Keeps it until cancelled, also when the files change."""
    while True:
        try:
            if wanted := read_trust(config):
                await write(client, wanted)
        except (AlreadyExists, Conflict):
            continue  # another server was faster: look again
        except (ApiError, StoreError, OSError, pki.PkiError) as fault:
            _log.warning("trust for extension servers not written", error=fault)
        await clock.sleep(_PERIOD_S)
