"""The ways between nodes."""

from typing import Any

import pytest

from kubepy.network.routes import TUNNEL, Peer, is_direct, peers, plan_peer, plan_removal, plan_tunnel, tunnel_mac

PEER = Peer("192.0.2.7", "10.244.3.0/24")


def node(name: str, address: str, cidr: str | None) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"podCIDR": cidr},
        "status": {"addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]},
    }


def test_peers_are_the_others_that_have_a_range() -> None:
    nodes = [
        node("me", "192.0.2.1", "10.244.0.0/24"),
        node("a", "192.0.2.7", "10.244.3.0/24"),
        node("b", "192.0.2.8", None),
    ]
    assert peers(nodes, "me") == {PEER}


@pytest.mark.parametrize(("segment", "direct"), [("192.0.2.1/24", True), ("198.51.100.1/24", False)])
def test_a_peer_on_our_segment_is_reached_directly(segment: str, direct: bool) -> None:
    assert is_direct(PEER, [segment]) is direct


def test_a_direct_peer_takes_one_route() -> None:
    plan = plan_peer(PEER, direct=True)
    assert plan.ip == ["route replace 10.244.3.0/24 via 192.0.2.7 proto 157"]
    assert plan.bridge == []


def test_a_far_peer_goes_through_the_tunnel() -> None:
    plan = plan_peer(PEER, direct=False)
    mac = tunnel_mac(PEER.address)
    assert plan.ip == [
        f"neigh replace 10.244.3.0 lladdr {mac} dev {TUNNEL} nud permanent",
        f"route replace 10.244.3.0/24 via 10.244.3.0 dev {TUNNEL} onlink proto 157",
    ]
    assert plan.bridge == [f"fdb replace {mac} dev {TUNNEL} dst 192.0.2.7 self permanent"]


def test_what_was_added_can_be_removed() -> None:
    assert len(plan_removal(PEER, direct=False).ip) == 2
    assert plan_removal(PEER, direct=True).bridge == []


def test_every_node_knows_the_others_end_of_the_tunnel() -> None:
    made = plan_tunnel("192.0.2.7", "10.244.3.0/24", 1450)
    assert any(tunnel_mac("192.0.2.7") in line for line in made)
    assert tunnel_mac("192.0.2.7") == "0a:58:c0:00:02:07"
