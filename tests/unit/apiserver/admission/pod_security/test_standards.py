"""What each version of the Pod Security Standards finds, and what a configuration says."""

import re
from typing import Any

import pytest

from kubepy.apiserver.admission.pod_security.plugin import is_tightened, pod_warnings
from kubepy.apiserver.admission.pod_security.policy import Standard, parse_settings, policy_of
from kubepy.apiserver.admission.pod_security.restricted import NEWEST, describe, violations

Object = dict[str, Any]
LOCKED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(annotations: dict[str, str] | None = None, *, of_container: Object | None = None, **spec: Any) -> Object:
    container = {"name": "c", "securityContext": LOCKED, **(of_container or {})}
    return {"metadata": {"name": "p", "annotations": annotations or {}}, "spec": {"containers": [container], **spec}}


def found(made: Object, level: str = "baseline", minor: int = NEWEST) -> str:
    return describe(violations(made, level, minor))


PROBED = pod(of_container={"livenessProbe": {"httpGet": {"host": "10.0.0.1"}}})
UNMASKED = pod(of_container={"securityContext": {**LOCKED, "procMount": "Unmasked"}}, hostUsers=False)
ROOT = pod(of_container={"securityContext": {**LOCKED, "runAsNonRoot": False, "runAsUser": 0}}, hostUsers=False)
WINDOWS = pod(of_container={"securityContext": {"runAsNonRoot": True}}, os={"name": "windows"})


@pytest.mark.parametrize(
    ("made", "level", "minor", "expected"),
    [
        (PROBED, "baseline", 33, ""),
        (PROBED, "baseline", 34,
         'probe or lifecycle host (container "c" uses probe or lifecycle host "10.0.0.1")'),
        (UNMASKED, "baseline", 34, 'procMount (container "c" must not set securityContext.procMount to "Unmasked")'),
        (UNMASKED, "baseline", 35, ""),
        (UNMASKED, "restricted", 35, 'procMount (container "c" must not set securityContext.procMount to "Unmasked")'),
        (ROOT, "restricted", 34,
         'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false), '
         'runAsUser=0 (container "c" must not set runAsUser=0)'),
        (ROOT, "restricted", 22,
         'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)'),
        (ROOT, "restricted", 35, ""),
        (WINDOWS, "restricted", 25, ""),
        (WINDOWS, "restricted", 18,
         'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)'),
        (pod(volumes=[{"name": "v", "hostPath": {}}]), "baseline", 0, 'hostPath volumes (volume "v")'),
        (pod(volumes=[{"name": "v", "hostPath": {}}]), "restricted", 0,
         'restricted volume types (volume "v" uses restricted volume type "hostPath")'),
        (pod({"container.seccomp.security.alpha.kubernetes.io/c": "unconfined"}), "baseline", 18,
         'seccompProfile (forbidden annotation container.seccomp.security.alpha.kubernetes.io/c="unconfined")'),
        (pod({"container.seccomp.security.alpha.kubernetes.io/c": "unconfined"}), "baseline", 19, ""),
        (pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}), "baseline", 31,
         "forbidden sysctls (net.ipv4.tcp_rmem)"),
        (pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}), "baseline", 32, ""),
        (pod(securityContext={"seLinuxOptions": {"type": "container_engine_t"}}), "baseline", 30,
         'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t")'),
        (pod(securityContext={"seLinuxOptions": {"type": "container_engine_t"}}), "baseline", 31, ""),
        (pod({"container.apparmor.security.beta.kubernetes.io/c": "unconfined"},
             securityContext={"appArmorProfile": {"type": "Unconfined"}}), "baseline", 0,
         "forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to \"Unconfined\", "
         '"container.apparmor.security.beta.kubernetes.io/c="unconfined"")'),
        (pod(securityContext={"windowsOptions": {"hostProcess": True}}), "baseline", 0,
         "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"),
        (pod(hostNetwork=True), "privileged", 37, ""),
        (pod(), "restricted", 99, ""),
    ],
)  # fmt: skip
def test_each_version_finds_what_it_knows(made: Object, level: str, minor: int, expected: str) -> None:
    assert found(made, level, minor) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (Standard("baseline"), Standard("privileged"), True),
        (Standard("baseline"), Standard("restricted"), False),
        (Standard("baseline", "v1.20"), Standard("restricted"), True),
        (Standard("privileged"), Standard("baseline"), False),
        (Standard("baseline"), Standard("baseline"), False),
    ],
)
def test_pods_are_looked_at_when_a_namespace_gets_stricter(new: Standard, old: Standard, expected: bool) -> None:
    assert is_tightened(new, old) is expected


def test_who_tightens_a_namespace_hears_of_its_pods() -> None:
    pods = [
        pod(hostPID=True),
        pod(hostPID=True, hostNetwork=True),
        pod(),
        pod(of_container={"ports": [{"hostPort": 1}]}),
    ]
    for name, one in zip("dcba", pods, strict=True):
        one["metadata"]["name"] = name
    assert pod_warnings("ns", Standard("baseline", "v1.30"), pods) == [
        'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:v1.30"',
        "a: hostPort",
        "c (and 1 other pod): host namespaces",
    ]


def test_labels_count_before_defaults_and_nonsense_is_strict_only_where_it_enforces() -> None:
    settings = parse_settings({"defaults": {"enforce": "baseline", "warn": "restricted", "warn-version": "v1.25"}})
    prefix = "pod-security.kubernetes.io/"
    policy, faults = policy_of({f"{prefix}enforce": "x", f"{prefix}audit": "y"}, settings.defaults)
    assert policy == {
        "enforce": Standard("restricted"), "audit": Standard("privileged"), "warn": Standard("restricted", "v1.25"),
    }  # fmt: skip
    assert [fault.field for fault in faults] == [f"metadata.labels[{prefix}{mode}]" for mode in ("enforce", "audit")]


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"defaults": {"enforce": "x"}}, "defaults.enforce: Invalid value"),
        ({"defaults": {"audit-version": "1"}}, 'defaults.audit-version: Invalid value: "1": must be "latest" or'),
        ({"exemptions": {"usernames": ["a", "a"]}}, 'exemptions.usernames[1]: Duplicate value: "a"'),
        ({"exemptions": {"namespaces": ["A"]}}, "exemptions.namespaces[0]: Invalid value"),
    ],
)
def test_a_configuration_is_checked(config: Object, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_settings(config)
