"""What is refused in a Service, new or changed."""

import copy
from typing import Any

import pytest

from kubepy.api.defaults.service import default_service
from kubepy.api.validation.registry import rules_for

RULES = rules_for("", "Service")


def service(name: str = "s", annotations: Any = None, **spec: Any) -> Any:
    """A Service with its defaults, its one port given unless `ports` says else."""
    meta = {"name": name, "namespace": "ns", **({"annotations": annotations} if annotations else {})}
    addresses = {"clusterIPs": [spec["clusterIP"]]} if spec.get("clusterIP") else {}
    made = {"metadata": meta, "spec": {"ports": [{"port": 80}], **addresses, **spec}}
    default_service(made)
    return made


def faults(obj: Any) -> list[str]:
    return [str(fault) for fault in RULES.create(obj)]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"clusterIP": "None", "ports": []},
        {"type": "ExternalName", "externalName": "example.com.", "ports": []},
        {"type": "LoadBalancer", "loadBalancerSourceRanges": [" 10.0.0.0/8"]},
        {"clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"]},
        {"sessionAffinity": "ClientIP"},
    ],
)
def test_services_of_all_sorts_are_fine(spec: Any) -> None:
    assert faults(service(**spec)) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, ["spec.ports: Required value"]),
        ({"ports": [{"port": 0}]},
         ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
          "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        ({"ports": [{"port": 80}, {"port": 81}]},
         ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]),
        ({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
         ['spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,'
          '"NodePort":0}']),
        ({"ports": [{"port": 80, "nodePort": 30000}]},
         ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]),
        ({"ports": [{"port": 80, "targetPort": "UPPER"}]},
         ['spec.ports[0].targetPort: Invalid value: "UPPER": must contain only alpha-numeric characters (a-z, 0-9), '
          'and '
          "hyphens (-)",
          'spec.ports[0].targetPort: Invalid value: "UPPER": must contain at least one letter (a-z)']),
        ({"type": "X"},
         ['spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
          '"NodePort"']),
        ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
        ({"type": "NodePort", "clusterIP": "None"},
         ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services']),
        ({"sessionAffinity": "X"},
         ['spec.sessionAffinity: Unsupported value: "X": supported values: "ClientIP", "None"']),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
         ["spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than "
          "86400"]),
        ({"clusterIP": "nope"},
         ['spec.clusterIPs[0]: Invalid value: "nope": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]},
         ['spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`']),
        ({"clusterIPs": ["10.0.0.1"]},
         ['spec.clusterIPs: Invalid value: ["10.0.0.1"]: must be empty when `clusterIP` is not specified']),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "10.0.0.2"]},
         ['spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP '
          'family']),
        ({"clusterIP": "10.0.0.1", "ipFamilies": ["IPv6"]},
         ['spec.clusterIPs[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`']),
        ({"ipFamilies": ["IPv4", "IPv4"]}, ['spec.ipFamilies[1]: Duplicate value: "IPv4"']),
        ({"ipFamilyPolicy": "X"},
         ['spec.ipFamilyPolicy: Unsupported value: "X": supported values: "PreferDualStack", "RequireDualStack", '
          '"SingleStack"']),
        ({"externalIPs": ["127.0.0.1"]},
         ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)']),
        ({"externalTrafficPolicy": "Local"},
         ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services']),
        ({"internalTrafficPolicy": "X"},
         ['spec.internalTrafficPolicy: Unsupported value: "X": supported values: "Cluster", "Local"']),
        ({"healthCheckNodePort": 30000},
         ["spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and "
          "`externalTrafficPolicy` is 'Local'"]),
        ({"loadBalancerSourceRanges": ["x"]},
         ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
          'spec.LoadBalancerSourceRanges[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or '
          "2001:db8::/64)"]),
        ({"loadBalancerClass": "a"}, ["spec.loadBalancerClass: Forbidden: may only be used when `type` is "
                                      "'LoadBalancer'"]),
        ({"trafficDistribution": "X"},
         ['spec.trafficDistribution: Unsupported value: "X": supported values: "PreferClose", "PreferSameNode", '
          '"PreferSameZone"']),
    ],
)  # fmt: skip
def test_a_field_is_refused(spec: Any, expected: list[str]) -> None:
    assert faults(service(**spec)) == expected


def test_the_name_is_a_label_that_may_start_with_a_digit() -> None:
    assert faults(service("1st")) == []
    (fault,) = faults(service("-bad"))
    assert fault.startswith('metadata.name: Invalid value: "-bad": a lowercase RFC 1123 label must consist of')


def updated(old: Any, **spec: Any) -> list[str]:
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    default_service(new)
    return [str(fault) for fault in RULES.update(new, old)]


def test_an_address_stays_for_as_long_as_there_is_one() -> None:
    old = service(clusterIP="10.0.0.1", ipFamilies=["IPv4"])
    assert updated(old, selector={"a": "b"}) == []
    assert updated(old, clusterIP="10.0.0.2", clusterIPs=["10.0.0.2"]) == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'
    ]
    assert updated(old, clusterIP="", clusterIPs=[]) == [
        "spec.clusterIPs[0]: Invalid value: null: primary clusterIP can not be unset"
    ]
    assert updated(old, type="ExternalName", externalName="a.com", clusterIP="", clusterIPs=[], ipFamilies=[],
                   internalTrafficPolicy=None) == []  # fmt: skip


def test_a_loose_address_that_was_there_stays() -> None:
    old = service(externalIPs=["010.0.0.9"], type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.1/8"])
    assert len(faults(old)) == 2
    assert updated(old, selector={"a": "b"}) == []
    assert updated(old, externalIPs=["010.0.0.9", "010.0.0.8"]) == [
        'spec.externalIPs[1]: Invalid value: "010.0.0.8": must not have leading 0s'
    ]


def test_the_class_of_a_load_balancer_stays() -> None:
    old = service(type="LoadBalancer", loadBalancerClass="example.com/a")
    assert updated(old, loadBalancerClass="example.com/b") == [
        'spec.loadBalancerClass: Invalid value: "example.com/b": may not change once set'
    ]


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ({"ip": "1.1.1.1", "ipMode": "VIP"}, []),
        ({"ip": "1.1.1.1"}, ["status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is "
                             "set"]),
        ({"hostname": "1.1.1.1"},
         ['status.loadBalancer.ingress[0].hostname: Invalid value: "1.1.1.1": must be a DNS name, not an IP address']),
    ],
)  # fmt: skip
def test_the_status_of_a_load_balancer_is_judged(ingress: Any, expected: list[str]) -> None:
    old = service(type="LoadBalancer")
    new = {**old, "status": {"loadBalancer": {"ingress": [ingress]}}}
    assert RULES.status is not None
    assert [str(fault) for fault in RULES.status(new, old)] == expected


def test_only_load_balancers_have_such_a_status() -> None:
    old = service()
    new = {**old, "status": {"loadBalancer": {"ingress": [{"hostname": "a.com"}]}}}
    assert RULES.status is not None
    assert [str(fault) for fault in RULES.status(new, old)] == [
        "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    ]


def test_faults_come_in_the_order_of_upstream() -> None:
    ports = [{"name": "a", "port": 80, "nodePort": 30000}, {"name": "a", "port": 0}]
    made = service(
        ports=ports, clusterIPs=["x", "y", "z"], clusterIP="x", externalIPs=["127.0.0.1"], sessionAffinity="x",
        selector={"a": "_"}, loadBalancerClass="_", trafficDistribution="x",
    )  # fmt: skip
    told = [fault.partition(":")[0].removeprefix("spec.") for fault in faults(made)]
    assert list(dict.fromkeys(told)) == [
        "ports[1].name", "ports[1].port", "ports[1].targetPort", "selector", "sessionAffinity", "clusterIPs[0]",
        "clusterIPs[1]", "clusterIPs[2]", "clusterIPs", "externalIPs[0]", "ports[0].nodePort", "loadBalancerClass",
        "trafficDistribution",
    ]  # fmt: skip


def test_what_a_service_has_is_not_judged_again() -> None:
    annotation = {"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.1"}
    old = service(type="LoadBalancer", externalIPs=["010.0.0.1"], annotations=annotation)
    assert RULES.update(copy.deepcopy(old), old) == []
    assert [fault.field for fault in RULES.create(old)] == [
        "spec.externalIPs[0]",
        f"metadata.annotations[{next(iter(annotation))}]",
    ]


def test_the_address_of_a_load_balancer_is_not_judged_again() -> None:
    old = service(type="LoadBalancer")
    old["status"] = {"loadBalancer": {"ingress": [{"ip": "010.0.0.1", "ipMode": "VIP"}]}}
    assert RULES.status is not None
    assert RULES.status(copy.deepcopy(old), old) == []
    assert [fault.field for fault in RULES.status(old, service(type="LoadBalancer"))] == [
        "status.loadBalancer.ingress[0].ip"
    ]
