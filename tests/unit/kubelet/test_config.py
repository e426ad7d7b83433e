from pathlib import Path

import pytest

from kubepy.kubelet.config import ConfigError, KubeletConfig, load, parse_duration_s, parse_taint

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


def read(*words: str) -> KubeletConfig:
    return load(words, hostname="Node-1")[0]


def faults(*words: str) -> list[str]:
    with pytest.raises(ConfigError) as told:
        read(*words)
    return told.value.faults


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(HEAD + text)
    return f"--config={path}"


def test_node_is_named_after_the_host_in_lower_case() -> None:
    assert read().node_name == "node-1"
    assert read("--hostname-override=n2").node_name == "n2"


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    config = file(tmp_path, "maxPods: 50\nclusterDNS: [10.96.0.10]\nport: 1234\n")
    found = read(config, "--max-pods=7")
    assert (found.max_pods, found.cluster_dns, found.port) == (7, ("10.96.0.10",), 1234)


def test_authentication_section_is_read(tmp_path: Path) -> None:
    text = "authentication: {anonymous: {enabled: true}, x509: {clientCAFile: /ca}, webhook: {cacheTTL: 1m}}\n"
    found = read(file(tmp_path, text))
    assert (found.anonymous, found.client_ca_file, found.webhook_cache_s) == (True, Path("/ca"), 60.0)


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    found = faults(file(tmp_path, "nonsense: 1\nport: many\nauthorization: {node: {}, mode: Maybe}\n"), "--node-ip=x")
    assert len(found) == 4
    assert any('unknown field "nonsense"' in fault for fault in found)
    assert any(fault.startswith("--node-ip") for fault in found)


def test_unknown_flag_is_refused() -> None:
    assert faults("--no-such-flag") == ["unknown flag: --no-such-flag"]


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("kind: Pod\n")
    assert "not a KubeletConfiguration" in faults(f"--config={path}")[0]


def test_fields_without_effect_are_named(tmp_path: Path) -> None:
    assert load([file(tmp_path, "syncFrequency: 1m\n")], hostname="n")[1] == ["syncFrequency"]


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("10s", 10), ("0", 0), ("1.5s", 1.5), ("100ms", 0.1)])
def test_durations_are_go_s(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


def test_taints_need_an_effect() -> None:
    assert parse_taint("a=b:NoSchedule") == {"key": "a", "value": "b", "effect": "NoSchedule"}
    with pytest.raises(ValueError, match="not a taint"):
        parse_taint("a=b")
