"""Certificates: issued once, renewed when they must be, never otherwise."""

import datetime as dt
import importlib
from typing import Any

import pytest
from kubepy_authority import plan
from kubepy_csr import pending_path

x509: Any = importlib.import_module("ansible.module_utils.kubepy_x509")
api: Any = importlib.import_module("ansible.module_utils.kubepy_api")

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
WANTED = x509.wanted_of(
    {
        "name": "apiserver",
        "ca": "ca",
        "cn": "kube-apiserver",
        "dns": ["b", "a"],
        "ips": ["::1", "10.96.0.1"],
        "usages": ["server"],
    }
)


@pytest.fixture(scope="module")
def authority() -> tuple[bytes, Any]:
    key = x509.new_key()
    return x509.new_authority("kubernetes", key, days=3650, now=NOW), key


def issue(authority: tuple[bytes, Any], wanted: Any, days: int = 365) -> tuple[bytes, bytes]:
    key = x509.new_key()
    return x509.sign(x509.new_request(wanted, key), *authority, days=days, now=NOW), x509.key_pem(key)


def faults(authority: tuple[bytes, Any], wanted: Any, pair: tuple[bytes, bytes], now: dt.datetime = NOW) -> list[str]:
    found: list[str] = x509.faults_of(*pair, wanted, authority[0], renew_before_days=60, now=now)
    return found


def test_an_issued_certificate_serves(authority: tuple[bytes, Any]) -> None:
    assert faults(authority, WANTED, issue(authority, WANTED)) == []


def test_one_that_ends_soon_is_renewed(authority: tuple[bytes, Any]) -> None:
    later = NOW + dt.timedelta(days=310)
    assert faults(authority, WANTED, issue(authority, WANTED), later) == ["ends 2027-01-02"]


def test_another_name_another_certificate(authority: tuple[bytes, Any]) -> None:
    more = x509.wanted_of(
        {"name": "apiserver", "ca": "ca", "cn": "kube-apiserver", "dns": ["a", "b", "c"], "ips": ["::1", "10.96.0.1"]}
    )
    assert faults(authority, more, issue(authority, WANTED)) == ["names differ"]


def test_a_new_authority_replaces_all_that_the_old_one_issued(authority: tuple[bytes, Any]) -> None:
    key = x509.new_key()
    other = (x509.new_authority("kubernetes", key, days=9, now=NOW), key)
    assert "another authority issued it" in faults(other, WANTED, issue(authority, WANTED))


def test_a_key_that_does_not_fit_is_a_fault(authority: tuple[bytes, Any]) -> None:
    certificate, _ = issue(authority, WANTED)
    assert faults(authority, WANTED, (certificate, x509.key_pem(x509.new_key()))) == ["key differs"]


def test_no_certificate_outlives_its_authority(authority: tuple[bytes, Any]) -> None:
    assert x509.x509.load_pem_x509_certificate(issue(authority, WANTED, days=99999)[0]).not_valid_after_utc == (
        x509.x509.load_pem_x509_certificate(authority[0]).not_valid_after_utc
    )


def test_a_kubeconfig_gives_back_what_was_put_in(authority: tuple[bytes, Any]) -> None:
    certificate, key = issue(authority, WANTED)
    about = {"server": "https://10.0.0.1:6443", "user": "admin", "cluster": "kubernetes", "ca_pem": authority[0]}
    text = x509.render_kubeconfig(certificate=certificate, key=key, **about)
    assert x509.parse_kubeconfig(text) == (certificate, key)
    assert api.parse_access(text) == api.Access("https://10.0.0.1:6443", authority[0], certificate, key)


def test_a_kubeconfig_without_embedded_keys_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="certificate-authority"):
        api.parse_access("clusters:\n- cluster:\n    server: https://x\n")


def test_authorities_are_made_once_and_never_by_halves() -> None:
    authorities, pairs = [{"name": "ca"}, {"name": "etcd/ca"}], [{"name": "sa"}]
    assert plan(authorities, pairs, {"ca.crt", "ca.key"}) == ["etcd/ca", "sa"]
    with pytest.raises(ValueError, match=r"ca\.crt is there but ca\.key is not"):
        plan(authorities, pairs, {"ca.crt"})


def test_a_key_waits_beside_its_place() -> None:
    assert pending_path({"name": "etcd/peer"}, "/p") == "/p/etcd/peer.key.new"
    assert pending_path({"name": "admin", "kubeconfig": "/e/admin.conf"}, "/p") == "/e/admin.conf.key"
