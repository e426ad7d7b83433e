import base64
from typing import Any

import pytest
from kubelet_pods import container, pod

from kubepy.kubelet.downward import PodFacts
from kubepy.kubelet.env import EnvironmentFault, environment
from kubepy.kubelet.expansion import expand

OBJECTS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("configmaps", "default", "conf"): {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}},
    ("secrets", "default", "keys"): {"kind": "Secret", "data": {"pw": base64.b64encode(b"s3").decode()}},
}
FACTS = PodFacts(pod_ips=("10.0.0.5",), host_ips=("192.0.2.1",), allocatable={"cpu": "4", "memory": "8Gi"})


def service(name: str, namespace: str = "default", ip: str = "10.96.0.7", port_name: str = "") -> dict[str, Any]:
    ports = [{"port": 80, "protocol": "TCP", "name": port_name}]
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": ports}}


def env(*entries: dict[str, Any], services: Any = (), sources: Any = (), **spec: Any) -> dict[str, str]:
    box = container("c", env=list(entries), envFrom=list(sources), resources={"limits": {"cpu": "500m"}})
    lookup = OBJECTS.get
    return dict(environment(pod(box, **spec), box, services, lambda *key: lookup(key), FACTS))


def reference(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": source}


def test_references_expand_what_was_defined_before() -> None:
    found = env({"name": "A", "value": "x"}, {"name": "B", "value": "$(A)-$(NONE)-$$(A)"})
    assert found["B"] == "x-$(NONE)-$(A)"


def test_expansion_leaves_plain_text_alone() -> None:
    assert expand("a $ b $(", {}) == "a $ b $("


def test_whole_objects_come_with_their_prefix_and_env_wins() -> None:
    found = env({"name": "X_a", "value": "mine"}, sources=[{"prefix": "X_", "configMapRef": {"name": "conf"}}])
    assert found == {"X_a": "mine", "X_b": "2"}


def test_keys_of_config_maps_and_secrets() -> None:
    found = env(
        reference("A", configMapKeyRef={"name": "conf", "key": "a"}),
        reference("P", secretKeyRef={"name": "keys", "key": "pw"}),
    )
    assert found == {"A": "1", "P": "s3"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "a"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "keys", "key": "x"}}, "couldn't find key x in Secret default/keys"),
    ],
)
def test_missing_references_hold_the_container_back(source: dict[str, Any], message: str) -> None:
    with pytest.raises(EnvironmentFault, match=message):
        env(reference("A", **source))


def test_missing_optional_reference_leaves_the_variable_out() -> None:
    assert env(reference("A", configMapKeyRef={"name": "none", "key": "a", "optional": True})) == {}


def test_facts_of_the_pod_itself() -> None:
    found = env(
        reference("N", fieldRef={"fieldPath": "metadata.name"}),
        reference("IP", fieldRef={"fieldPath": "status.podIP"}),
        reference("H", fieldRef={"fieldPath": "status.hostIP"}),
        reference("CPU", resourceFieldRef={"resource": "limits.cpu", "divisor": "1m"}),
        reference("WHOLE", resourceFieldRef={"resource": "limits.cpu"}),
        reference("MEM", resourceFieldRef={"resource": "limits.memory", "divisor": "1Gi"}),
    )
    assert found == {"N": "web", "IP": "10.0.0.5", "H": "192.0.2.1", "CPU": "500", "WHOLE": "1", "MEM": "8"}


def test_services_of_the_namespace_and_kubernetes_are_told() -> None:
    services = [service("db", port_name="sql"), service("other", "elsewhere"), service("kubernetes", ip="10.96.0.1")]
    found = env(services=services)
    assert found["DB_SERVICE_HOST"] == "10.96.0.7"
    assert found["DB_SERVICE_PORT_SQL"] == "80"
    assert found["DB_PORT_80_TCP_ADDR"] == "10.96.0.7"
    assert found["DB_PORT"] == "tcp://10.96.0.7:80"
    assert found["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert not any(name.startswith("OTHER") for name in found)


def test_without_service_links_only_kubernetes_is_told() -> None:
    found = env(services=[service("db"), service("kubernetes")], enableServiceLinks=False)
    assert {name.split("_")[0] for name in found} == {"KUBERNETES"}
