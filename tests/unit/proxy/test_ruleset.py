"""Services as nftables rules, tried on the kernel itself."""

import subprocess
from typing import Any

from kubepy.proxy.ruleset import EMPTY, render_base, render_change, render_service
from kubepy.proxy.services import service_ports
from kubepy.proxy.state import ProxyState

Object = dict[str, Any]
PODS = "10.244.0.0/16"


def service(name: str = "web", *, ip: str = "10.96.0.9", **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip], "ports": ports, **spec},
        "status": spec.pop("status", {}),
    }


def endpoints(*entries: tuple[str, str], ready: bool = True, **conditions: bool) -> Object:
    return {
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [
            {"addresses": [ip], "nodeName": node, "conditions": {"ready": ready, **conditions}} for ip, node in entries
        ],
    }


BOTH = endpoints(("10.244.0.5", "here"), ("10.244.1.5", "there"))


def fragment(found: Object, *slices: Object) -> Any:
    return render_service(service_ports(found, slices, "here"), PODS)


def rules(found: Object, *slices: Object) -> str:
    return render_change(EMPTY, fragment(found, *slices))


def test_traffic_goes_to_every_ready_endpoint() -> None:
    text = rules(service(), BOTH)
    assert "numgen random mod 2 map { 0 : 10.244.0.5 . 8080, 1 : 10.244.1.5 . 8080 }" in text
    assert "service-ips { 10.96.0.9 . tcp . 80 : goto service-" in text


def test_a_service_without_endpoints_rejects() -> None:
    assert "no-endpoint-services { 10.96.0.9 . tcp . 80 : goto reject-service }" in rules(service())


def test_endpoints_on_their_way_out_serve_while_there_are_no_others() -> None:
    leaving = endpoints(("10.244.0.7", "here"), ready=False, serving=True, terminating=True)
    assert "10.244.0.7" in rules(service(), leaving)
    assert "10.244.0.7" not in rules(service(), leaving, BOTH)


def test_an_internal_policy_of_local_stays_on_the_node() -> None:
    text = rules(service(internalTrafficPolicy="Local"), BOTH)
    assert "mod 1 map { 0 : 10.244.0.5 . 8080 }" in text
    elsewhere = rules(service(internalTrafficPolicy="Local"), endpoints(("10.244.1.5", "there")))
    assert "no-endpoint-services { 10.96.0.9 . tcp . 80 : drop }" in elsewhere


def test_a_node_port_leads_to_the_same_endpoints_from_outside() -> None:
    node_port = service(type="NodePort")
    node_port["spec"]["ports"][0]["nodePort"] = 30080
    text = rules(node_port, BOTH)
    assert "service-nodeports { tcp . 30080 : goto external-" in text
    assert "jump mark-for-masquerade" in text


def test_an_external_policy_of_local_keeps_the_source() -> None:
    text = rules(service(externalTrafficPolicy="Local", externalIPs=["192.0.2.1"]), BOTH)
    external = [line for line in text.splitlines() if " external-" in line and "dnat" in line]
    assert external
    assert all("10.244.1.5" not in line for line in external)


def test_affinity_remembers_the_client() -> None:
    text = rules(service(sessionAffinity="ClientIP"), BOTH)
    assert text.count("add set") == 2
    assert "timeout 10800s" in text


def test_a_change_touches_only_its_own() -> None:
    before, after = fragment(service(), BOTH), fragment(service(), endpoints(("10.244.0.5", "here")))
    change = render_change(before, after)
    assert "service-ips" not in change, "the address still leads to the same chain"
    assert change.count("add rule") == 2
    assert render_change(after, after) == ""


def test_headless_services_and_those_of_another_proxy_are_left_alone() -> None:
    assert rules(service(ip="None"), BOTH) == ""
    other = service()
    other["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "mine"}
    assert rules(other, BOTH) == ""


def test_two_claims_on_one_external_address_do_not_clash() -> None:
    state = ProxyState()
    first = fragment(service("a", ip="10.96.0.1", externalIPs=["192.0.2.1"]), BOTH)
    second = fragment(service("b", ip="10.96.0.2", externalIPs=["192.0.2.1"]), BOTH)
    key = "192.0.2.1 . tcp . 80"
    assert key in state.plan("a", first)
    assert key not in state.plan("b", second)
    assert f"add element ip kube-proxy service-ips {{ {key} : goto external-" in state.plan("a", EMPTY)


def test_the_kernel_takes_every_script() -> None:
    """In a network namespace of its own: the machine's rules are not touched."""
    state = ProxyState()
    full = service(
        type="LoadBalancer",
        externalIPs=["192.0.2.1"],
        externalTrafficPolicy="Local",
        loadBalancerSourceRanges=["10.0.0.0/8", "10.1.0.0/16"],
        status={"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}},
    )
    full["spec"]["ports"] = [
        {"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080},
        {"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053},
    ]
    sticky = {**full, "spec": {**full["spec"], "sessionAffinity": "ClientIP", "externalTrafficPolicy": "Cluster"}}
    steps = [
        render_base(PODS) + state.plan("default/web", fragment(full, BOTH)),
        state.plan("default/web", fragment(sticky, BOTH)),
        state.plan("default/x", fragment(service("x", ip="10.96.0.10", externalIPs=["192.0.2.1"]), BOTH)),
        render_base(PODS) + state.whole(),
        state.plan("default/web", fragment(full)),
        state.plan("default/web", EMPTY),
        state.plan("default/x", EMPTY),
    ]
    commands = "\n".join(f"nft -f - <<'EOF' || exit 1\n{step}EOF" for step in steps)
    result = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"{commands}\nnft list map ip kube-proxy service-ips"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "elements" not in result.stdout, "everything that was added was removed"
