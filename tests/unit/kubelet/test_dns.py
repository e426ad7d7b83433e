from typing import Any

from kubelet_pods import pod

from kubepy.kubelet.dns import Resolver, hostname_of, parse_resolv_conf, render_hosts, resolver

HOST = parse_resolv_conf("# comment\nnameserver 192.0.2.53\nsearch example.com.\noptions timeout:1\n")


def resolve(**spec: Any) -> Resolver:
    return resolver(pod(**spec), HOST, ("10.96.0.10",), "cluster.local")[0]


def test_cluster_first_searches_the_cluster_then_the_node() -> None:
    assert resolve().render() == (
        "search default.svc.cluster.local svc.cluster.local cluster.local example.com\n"
        "nameserver 10.96.0.10\noptions ndots:5\n"
    )


def test_pod_on_the_host_network_resolves_as_the_node() -> None:
    assert resolve(hostNetwork=True) == HOST
    assert resolve(hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet").nameservers == ("10.96.0.10",)


def test_policy_none_says_only_what_the_pod_says() -> None:
    config = {"nameservers": ["1.1.1.1"], "searches": ["x"], "options": [{"name": "ndots", "value": "2"}]}
    assert resolve(dnsPolicy="None", dnsConfig=config) == Resolver(("1.1.1.1",), ("x",), ("ndots:2",))


def test_own_options_replace_the_cluster_s() -> None:
    assert resolve(dnsConfig={"options": [{"name": "ndots", "value": "1"}]}).options == ("ndots:1",)


def test_more_than_three_nameservers_are_cut_with_a_warning() -> None:
    config = {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3"]}
    found, warnings = resolver(pod(dnsConfig=config), HOST, ("10.96.0.10",), "cluster.local")
    assert len(found.nameservers) == 3
    assert "Nameserver limits were exceeded" in warnings[0]


def test_without_a_cluster_address_the_node_s_resolver_serves_with_a_warning() -> None:
    found, warnings = resolver(pod(), HOST, (), "cluster.local")
    assert found == HOST
    assert "ClusterDNS" in warnings[0]


def test_subdomain_makes_a_full_name() -> None:
    assert hostname_of(pod(hostname="db-0", subdomain="db"), "node", "cluster.local") == (
        "db-0",
        "db-0.db.default.svc.cluster.local",
    )
    assert hostname_of(pod(hostNetwork=True), "node", "cluster.local") == ("node", "")


def test_hosts_file_names_the_pod_and_its_aliases() -> None:
    text = render_hosts(pod(hostAliases=[{"ip": "10.1.1.1", "hostnames": ["a", "b"]}]), ("10.0.0.5",), ("web", ""), "")
    assert "10.0.0.5\tweb\n" in text
    assert text.endswith("# Entries added by HostAliases.\n10.1.1.1\ta\tb\n")
