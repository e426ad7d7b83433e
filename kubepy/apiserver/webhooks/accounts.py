"""As whom this server comes to webhooks that ask: users of a kubeconfig file, found by the webhook's address.

A user's name is an address: `HOST`, `HOST:PORT`, `*.DOMAIN`, or `*` for all others.
Source: apiserver pkg/util/webhook/authentication.go, pkg/admission/plugin/webhook/config.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubepy.apiserver.webhooks.target import Target
from kubepy.lib import kubeconfig
from kubepy.lib.kubeconfig import Credentials

_HTTPS = 443


@dataclass(frozen=True, slots=True)
class Accounts:
    """The users of a file; `current` names the one that is taken where no name fits."""

    users: Mapping[str, Credentials] = field(default_factory=dict)
    current: str = ""

    def known_to(self, target: Target) -> Target:
        """The target with the credentials that are meant for it, if any."""
        if not self.users:
            return target
        parts = urlsplit(target.url)
        names = _names(parts.hostname or "", parts.port or _HTTPS)
        name = next((name for name in (*names, "*", self.current) if name in self.users), None)
        if name is None:
            return target
        found = self.users[name]
        return replace(
            target, certificate=found.certificate, key=found.key, token=found.token, token_file=found.token_file
        )


def _names(host: str, port: int) -> Iterator[str]:
    """The names under which a user for that address may be found, the most precise first."""
    yield from _with_stars(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    if port == _HTTPS:
        yield from _with_stars(host)


def _with_stars(address: str) -> Iterator[str]:
    yield address
    steps = address.split(".")
    for index in range(1, len(steps)):
        yield "*." + ".".join(steps[index:])


def parse_accounts(document: Mapping[str, Any]) -> Accounts:
    """The accounts of a WebhookAdmissionConfiguration. Raises ValueError."""
    path = document.get("kubeConfigFile") or ""
    if not path:
        return Accounts()
    if not Path(path).is_absolute():
        raise ValueError(f'kubeConfigFile: Invalid value: "{path}": must be an absolute file path')
    return Accounts(*kubeconfig.load_users(path))
