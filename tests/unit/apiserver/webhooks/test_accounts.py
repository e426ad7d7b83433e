"""As whom the server comes to which webhook."""

from pathlib import Path

import pytest

from kubepy.apiserver.webhooks.accounts import Accounts, parse_accounts
from kubepy.apiserver.webhooks.target import Target, from_client_config
from kubepy.lib.kubeconfig import Credentials, KubeconfigError

FILE = """
apiVersion: v1
kind: Config
users:
- {name: "hook.default.svc", user: {token: exact}}
- {name: "hook.default.svc:8443", user: {token: port}}
- {name: "*.example.com", user: {tokenFile: tokens/example}}
- {name: other, user: {client-certificate-data: YQ==, client-key-data: Yg==}}
contexts:
- {name: c, context: {user: other}}
current-context: c
"""


def accounts(tmp_path: Path, text: str = FILE) -> Accounts:
    path = tmp_path / "config"
    path.write_text(text)
    return parse_accounts({"kubeConfigFile": str(path)})


def test_users_are_found_by_the_address_of_the_webhook(tmp_path: Path) -> None:
    found = accounts(tmp_path)

    def shown(url: str) -> str:
        target = found.known_to(Target(url=url))
        return target.token or target.token_file.removeprefix(f"{tmp_path}/") or target.certificate.decode()

    service = {"service": {"name": "hook", "namespace": "default", "path": "/x"}}
    assert found.known_to(from_client_config(service)).token == "exact"
    assert shown("https://hook.default.svc:8443/x") == "port"
    assert shown("https://a.b.example.com/x") == "tokens/example"
    assert shown("https://a.b.example.com:9443/x") == "a"
    assert shown("https://elsewhere/x") == "a"


def test_a_star_wins_over_the_current_context(tmp_path: Path) -> None:
    found = Accounts({"*": Credentials(token="all"), "me": Credentials(token="me")}, "me")
    assert found.known_to(Target(url="https://x")).token == "all"
    assert Accounts().known_to(Target(url="https://x")) == Target(url="https://x")


def test_the_file_must_be_named_whole_and_be_one(tmp_path: Path) -> None:
    assert parse_accounts({}) == Accounts()
    with pytest.raises(ValueError, match="must be an absolute file path"):
        parse_accounts({"kubeConfigFile": "config"})
    with pytest.raises(KubeconfigError, match="is not a kubeconfig"):
        accounts(tmp_path, "[]")
