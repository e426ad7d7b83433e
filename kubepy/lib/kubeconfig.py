"""Kubeconfig files: what a client needs to reach an API server, read from and written to the usual YAML.

Paths inside a file are relative to it; inline `*-data` wins over a path, as in client-go's clientcmd.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class KubeconfigError(ValueError):
    """The file cannot be used; the message says why and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestConfig:
    """Where an API server is and who is asking. PEM texts are bytes; None means: not used."""

    server: str
    ca: bytes | None = None
    """Certificates that the server's chain must end in; None: the system's."""
    client_certificate: bytes | None = None
    client_key: bytes | None = None
    token: str | None = None
    token_file: str | None = None
    """Read again when it changes, for tokens that rotate."""
    insecure: bool = False
    namespace: str = "default"
    client_certificate_file: str | None = None
    """Where the certificate came from, when it was a path; it may be rotated under us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How somebody shows himself. PEM texts are bytes; empty means: not used."""

    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    token_file: str = ""


def load(path: str | Path, *, context: str | None = None) -> RestConfig:
    """The configuration of a context, the current one by default. Raises KubeconfigError."""
    path = Path(path)
    document = _document(path)
    wanted = context or document.get("current-context") or ""
    chosen = _entry(document, "contexts", wanted, path)["context"]
    cluster = _entry(document, "clusters", chosen.get("cluster", ""), path)["cluster"]
    user = _entry(document, "users", chosen["user"], path)["user"] if chosen.get("user") else {}
    if not cluster.get("server"):
        raise KubeconfigError(f"{path}: the cluster {chosen.get('cluster')!r} has no server")
    return RestConfig(
        server=cluster["server"].rstrip("/"),
        ca=_data(cluster, "certificate-authority", path),
        client_certificate=_data(user, "client-certificate", path),
        client_key=_data(user, "client-key", path),
        token=user.get("token"),
        token_file=_resolve(user["tokenFile"], path) if user.get("tokenFile") else None,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        namespace=chosen.get("namespace") or "default",
        client_certificate_file=_resolve(user["client-certificate"], path) if user.get("client-certificate") else None,
    )


def load_users(path: str | Path) -> tuple[dict[str, Credentials], str]:
    """Every user of a file by name, and the name of the current context's, or nothing. Raises KubeconfigError."""
    path = Path(path)
    document = _document(path)
    users = {
        str(entry.get("name") or ""): _credentials(entry.get("user") or {}, path)
        for entry in document.get("users") or ()
    }
    current = document.get("current-context") or ""
    contexts = {entry.get("name"): entry.get("context") or {} for entry in document.get("contexts") or ()}
    return users, str(contexts.get(current, {}).get("user") or "")


def _credentials(user: Mapping[str, Any], path: Path) -> Credentials:
    return Credentials(
        certificate=_data(user, "client-certificate", path) or b"",
        key=_data(user, "client-key", path) or b"",
        token=user.get("token") or "",
        token_file=_resolve(user["tokenFile"], path) if user.get("tokenFile") else "",
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise KubeconfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig")
    return document


def render(config: RestConfig, *, cluster: str = "kubernetes", user: str = "admin") -> str:
    """The YAML of a kubeconfig with one context that uses `config`, credentials inline."""
    where: dict[str, Any] = {"server": config.server}
    if config.ca:
        where["certificate-authority-data"] = base64.b64encode(config.ca).decode()
    if config.insecure:
        where["insecure-skip-tls-verify"] = True
    who: dict[str, Any] = {}
    if config.client_certificate and config.client_key:
        who["client-certificate-data"] = base64.b64encode(config.client_certificate).decode()
        who["client-key-data"] = base64.b64encode(config.client_key).decode()
    if config.token:
        who["token"] = config.token
    name = f"{user}@{cluster}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": where}],
        "users": [{"name": user, "user": who}],
        "contexts": [{"name": name, "context": {"cluster": cluster, "user": user}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _entry(document: Mapping[str, Any], section: str, name: str, path: Path) -> Mapping[str, Any]:
    for entry in document.get(section) or []:
        if entry.get("name") == name:
            return dict(entry)
    raise KubeconfigError(f"{path}: no entry named {name!r} in {section}")


def _resolve(name: str, path: Path) -> str:
    return str(path.parent / name)


def _data(section: Mapping[str, Any], key: str, path: Path) -> bytes | None:
    if inline := section.get(f"{key}-data"):
        return base64.b64decode(inline)
    if name := section.get(key):
        try:
            return Path(_resolve(name, path)).read_bytes()
        except OSError as error:
            raise KubeconfigError(f"{path}: cannot read {key} {name}: {error.strerror}") from error
    return None
