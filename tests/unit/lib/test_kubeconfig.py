"""Kubeconfig files, both ways."""

from pathlib import Path

import pytest

from kubepy.lib.kubeconfig import KubeconfigError, RestConfig, load, render

CONFIG = RestConfig(
    server="https://127.0.0.1:6443", ca=b"CA", client_certificate=b"CERT", client_key=b"KEY", token="t0ken"
)


def test_what_is_rendered_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(render(CONFIG))
    assert load(path) == CONFIG


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"CA")
    (tmp_path / "config").write_text(
        """
        current-context: c
        contexts: [{name: c, context: {cluster: k, user: u, namespace: n}}]
        clusters: [{name: k, cluster: {server: "https://h:1/", certificate-authority: ca.crt}}]
        users: [{name: u, user: {tokenFile: token}}]
        """
    )
    found = load(tmp_path / "config")
    assert (found.ca, found.server, found.namespace) == (b"CA", "https://h:1", "n")
    assert found.token_file == str(tmp_path / "token")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a kubeconfig"),
        ("current-context: gone", "no entry named 'gone' in contexts"),
        ("a: [", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(KubeconfigError, match=why):
        load(tmp_path / "config")


def test_a_missing_file_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="cannot read"):
        load(tmp_path / "none")
