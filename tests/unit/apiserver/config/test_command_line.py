"""The API server's command line."""

from pathlib import Path

import pytest

from kubepy.apiserver.config.command_line import FLAGS, ApiServerConfig, read
from kubepy.lib import pki
from kubepy.lib.flags import FlagError

KEY = pki.new_key()


@pytest.fixture
def needed(tmp_path: Path) -> list[str]:
    key = tmp_path / "sa.key"
    key.write_bytes(pki.key_pem(KEY))
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        "--service-account-issuer=https://issuer",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    ]


def faults(argv: list[str]) -> list[str]:
    with pytest.raises(FlagError) as caught:
        read(argv)
    return caught.value.faults


def test_flags_become_fields(needed: list[str]) -> None:
    config = read(
        [*needed, "--authorization-mode=Node,RBAC", "--event-ttl=2h", "--service-node-port-range", "1000-2000"]
    )
    assert config.authorization_mode == ("Node", "RBAC")
    assert config.event_ttl_s == 7200
    assert config.service_node_port_range == (1000, 2000)
    assert (config.issuer, config.audiences) == ("https://issuer", ("https://issuer",))


def test_a_configuration_without_flags_has_the_defaults_of_the_flags(needed: list[str]) -> None:
    made, parsed = ApiServerConfig(), read(needed)
    given = {"etcd_servers", "service_account_issuer", "service_account_key_file", "service_account_signing_key_file"}
    for flag in FLAGS:
        name = flag.name.replace("-", "_")
        name = name if hasattr(made, name) else f"{name}_s"
        if name not in given:
            assert getattr(made, name) == getattr(parsed, name), name


def test_the_configuration_of_plugins_is_read_at_once(needed: list[str]) -> None:
    assert faults([*needed, "--admission-control-config-file=/none", "--enable-admission-plugins=EventRateLimit"]) == [
        "--admission-control-config-file /none: no such file or directory"
    ]
    assert faults([*needed, "--enable-admission-plugins=EventRateLimit"]) == [
        "enable-admission-plugins plugin EventRateLimit needs limits in --admission-control-config-file"
    ]
    assert faults([*needed, "--enable-admission-plugins=ImagePolicyWebhook"]) == [
        "enable-admission-plugins plugin ImagePolicyWebhook needs --admission-control-config-file to name it"
    ]


def test_what_must_be_given_is_asked_for_all_at_once() -> None:
    assert faults(["--nonsense"]) == [
        "unknown flag: --nonsense",
        "--etcd-servers must be specified",
        "--service-account-issuer is a required flag",
        "--service-account-signing-key-file is a required flag",
        "--service-account-key-file is a required flag",
    ]


@pytest.mark.parametrize(
    ("flag", "fault"),
    [
        ("--authorization-mode=RBAC,Magic", 'authorization-mode "Magic" is not a valid mode'),
        ("--authorization-mode=RBAC,RBAC", 'authorization-mode "RBAC" was passed more than once'),
        ("--enable-admission-plugins=Magic", 'enable-admission-plugins plugin "Magic" is unknown'),
        ("--storage-media-type=application/vnd.kubernetes.protobuf", "is not supported: objects are kept as"),
        ("--storage-backend=etcd2", "--storage-backend invalid"),
        ("--service-cluster-ip-range=10.0.0.0/99", "--service-cluster-ip-range is not a valid cidr"),
        ("--service-cluster-ip-range=10.0.0.0/16,10.1.0.0/16", "must be of different IP family"),
        ("--service-node-port-range=high", "not a port range"),
        ("--secure-port=70000", "must be between 0 and 65535"),
        ("--advertise-address=here", 'invalid argument "here" for "--advertise-address" flag: failed to parse IP'),
        ("--etcd-servers=127.0.0.1:2379", "must begin with http:// or https://"),
        ("--tls-cert-file=/nowhere", "--tls-cert-file /nowhere: no such file or directory"),
        ("--tls-cert-file=/nowhere", "--tls-cert-file and --tls-private-key-file must be specified together"),
        ("--client-ca-file=/dev/null", "--client-ca-file /dev/null: not a certificate in PEM"),
        ("--service-account-max-token-expiration=1m", "must be between 1 hour and 2^32 seconds"),
        ("--tracing-config-file=/t", "--tracing-config-file is not supported: there is no tracing"),
        ("--egress-selector-config-file=/t", "--egress-selector-config-file is not supported: the server reaches"),
        ("--peer-ca-file=/t", "--peer-ca-file is not supported: servers do not pass requests on to one another"),
        ("--service-account-signing-endpoint=/t", "--service-account-signing-endpoint is not supported"),
        ("--etcd-servers-overrides=/events#http://a", "--etcd-servers-overrides is not supported: all objects"),
        ("--enable-garbage-collector=false", "--enable-garbage-collector is not supported"),
        ("--log-json-info-buffer-size=1M", "--log-json-info-buffer-size is not supported: lines are written"),
        ("--emulated-version=1.36", "--emulated-version 1.36 is not supported: this server knows 1.37 only"),
        ("--emulated-version=wardle=1.37", "component not registered: wardle"),
        ("--min-compatibility-version=kube=1.35", "--min-compatibility-version 1.35 is not supported"),
        ("--emulation-forward-compatible", "EmulationForwardCompatible cannot be set to true if the emulation"),
        ("--storage-initialization-timeout=-1s", "--storage-initialization-timeout can not be negative value"),
        ("--logging-format=xml", 'format: Invalid value: "xml": Unsupported log format'),
        ("--event-ttl=soon", 'invalid argument "soon" for "--event-ttl" flag'),
    ],
)
def test_wrong_values_are_told(needed: list[str], flag: str, fault: str) -> None:
    found = faults([*needed, flag])
    assert any(fault in one for one in found), found


def test_plugins_of_upstream_that_are_built_in_elsewhere_may_be_named(needed: list[str]) -> None:
    assert read([*needed, "--enable-admission-plugins=NodeRestriction,MutatingAdmissionWebhook"])


def test_the_embedded_store_needs_no_etcd(needed: list[str], tmp_path: Path) -> None:
    config = read([*needed[1:], "--storage-backend=embedded", f"--data-dir={tmp_path}"])
    assert (config.storage_backend, config.data_dir) == ("embedded", str(tmp_path))


def test_workers_need_a_store_that_several_processes_open(needed: list[str]) -> None:
    assert read([*needed, "--workers=3"]).workers == 3
    assert faults([*needed, "--workers=0"]) == ["--workers 0 must be at least 1"]
    embedded = [flag for flag in needed if "etcd" not in flag]
    assert faults([*embedded, "--storage-backend=embedded", "--workers=2"]) == [
        "--workers 2 is not supported with --storage-backend embedded, which one process opens"
    ]


@pytest.mark.parametrize(
    "flag",
    [
        "--emulated-version=kube=1.37",
        "--emulated-version=1.37",
        "--min-compatibility-version=1.36",
        "--enable-garbage-collector=true",
        "--enable-logs-handler=false",
        "--log-text-info-buffer-size=0",
        "--max-connection-bytes-per-sec=0",
        "--storage-initialization-timeout=2m",
        "--permit-address-sharing",
        "--coordinated-leadership-retry-period=1s",
    ],
)
def test_flags_that_ask_for_what_is_there_anyway_are_taken(needed: list[str], flag: str) -> None:
    assert read([*needed, flag])


def test_the_old_list_of_plugins_is_all_that_there_are(needed: list[str]) -> None:
    config = read([*needed, "--admission-control=NamespaceLifecycle,AlwaysPullImages"])
    assert config.enable_admission_plugins == ("NamespaceLifecycle", "AlwaysPullImages")
    assert "LimitRanger" in config.disable_admission_plugins
    assert "NamespaceLifecycle" not in config.disable_admission_plugins
    assert faults([*needed, "--admission-control=Magic"]) == ['admission-control plugin "Magic" is unknown']
    both = ["--admission-control=LimitRanger", "--disable-admission-plugins=ResourceQuota"]
    assert faults([*needed, *both]) == [
        "admission-control and enable-admission-plugins/disable-admission-plugins flags are mutually exclusive"
    ]


def test_a_feature_may_be_named_with_its_component(needed: list[str]) -> None:
    assert read([*needed, "--feature-gates=kube:OneOfThem=false"]).feature_gates == {"OneOfThem": "false"}
