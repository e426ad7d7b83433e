"""Availability, places and registration of APIServices, decided from plain objects."""

from typing import Any

import pytest
from multidict import CIMultiDict

from kubepy.api import resources
from kubepy.apiserver.aggregation import availability, registration, trust
from kubepy.apiserver.aggregation.availability import Verdict
from kubepy.apiserver.aggregation.backends import Backends, identified
from kubepy.apiserver.aggregation.remote import Remote, place_of_service, places_of_endpoints, remote_of
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.loops.api_services import local_services
from kubepy.apiserver.webhooks.places import NoPlace
from kubepy.apiserver.webhooks.target import ServiceReference
from kubepy.lib import pki
from tests.unit.apiserver.conftest import Objects

Object = dict[str, Any]
WANTED = ServiceReference("ns", "s", 443)
REMOTE = Remote("v1.g", "g", "v1", WANTED)
WHERE = 'service/s in "ns"'


def service(kind: str = "ClusterIP", **spec: Any) -> Object:
    ports = [{"name": "https", "port": 443}]
    return {"metadata": {"name": "s"}, "spec": {"type": kind, "clusterIP": "10.0.0.7", "ports": ports, **spec}}


def endpoint_slice(*, ready: bool = True, name: str = "https") -> Object:
    endpoint = {"addresses": ["10.1.0.1"], "conditions": {"ready": ready}}
    return {"metadata": {"name": "s-1"}, "endpoints": [endpoint], "ports": [{"name": name, "port": 8443}]}


@pytest.mark.parametrize(
    ("found", "slices", "reason", "message"),
    [
        (None, [], "ServiceNotFound", f"{WHERE} is not present"),
        (service(ports=[{"port": 80}]), [], "ServicePortError", f"{WHERE} is not listening on port 443"),
        (service(), [], "EndpointsNotFound", f"cannot find endpointslices for {WHERE}"),
        (
            service(),
            [endpoint_slice(ready=False), endpoint_slice(name="other")],
            "MissingEndpoints",
            f'endpointslices for {WHERE} have no addresses with port name "https"',
        ),
    ],
)
def test_what_backs_a_server_is_checked_in_order(
    found: Object | None, slices: list[Object], reason: str, message: str
) -> None:
    assert availability.check_backing(REMOTE, found, slices) == Verdict("False", reason, message)


def test_a_backed_server_is_to_be_asked() -> None:
    assert availability.check_backing(REMOTE, service(), [endpoint_slice()]) is None
    assert availability.check_backing(REMOTE, service("ExternalName", ports=[]), []) is None


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    first = availability.with_verdict({"spec": {}}, Verdict("False", "A", "a"), "t1")
    second = availability.with_verdict(first, Verdict("False", "B", "b"), "t2")
    third = availability.with_verdict(second, availability.PASSED, "t3")
    shown = [(one["lastTransitionTime"], one["reason"]) for one in second["status"]["conditions"]]
    assert shown == [("t1", "B")]
    assert third["status"]["conditions"][0]["lastTransitionTime"] == "t3"
    assert availability.with_verdict(third, availability.PASSED, "t4") is third


def test_the_service_is_dialed_or_its_endpoints() -> None:
    assert place_of_service(WANTED, service()) == ("10.0.0.7", 443)
    assert place_of_service(WANTED, service(clusterIP="None")) == ("s.ns.svc", 443)
    assert place_of_service(WANTED, service("ExternalName", externalName="a.example")) == ("a.example", 443)
    slices = [endpoint_slice(), endpoint_slice(ready=False)]
    assert places_of_endpoints(WANTED, service(), slices) == [("10.1.0.1", 8443)]
    for faulty in (None, service(ports=[]), service("ExternalName"), service()):
        with pytest.raises(NoPlace):
            places_of_endpoints(WANTED, faulty, [])


def test_a_bundle_that_is_not_base64_is_no_open_door() -> None:
    spec = {"version": "v1", "group": "g", "caBundle": "?", "service": {"name": "s", "namespace": "ns"}}
    remote = remote_of({"metadata": {"name": "v1.g"}, "spec": spec})
    assert remote is not None
    assert remote.ca
    assert remote.service == WANTED


def test_users_are_named_in_headers() -> None:
    user = UserInfo("alice", "7", ("a", "b"), {"k/%": ("x", "y")})
    headers = identified(CIMultiDict({"x-remote-extra-a": "b", "Impersonate-User": "c", "Accept": "d"}), user)
    assert list(headers.items()) == [
        ("Accept", "d"), ("X-Remote-User", "alice"), ("X-Remote-Uid", "7"), ("X-Remote-Group", "a"),
        ("X-Remote-Group", "b"), ("X-Remote-Extra-k%2F%25", "x"), ("X-Remote-Extra-k%2F%25", "y"),
    ]  # fmt: skip


def test_names_of_the_headers_that_an_extension_server_believes_are_not_passed_on() -> None:
    flags = ApiServerConfig(requestheader_username_headers=("X-Mine",), requestheader_group_headers=("X-My-Group",))
    backends = Backends(flags, Objects())
    shown = CIMultiDict({"x-mine": "root", "X-My-Group": "system:masters", "Accept": "d"})
    headers = identified(shown, UserInfo("alice"), backends.private)
    assert list(headers.items()) == [("Accept", "d"), ("X-Remote-User", "alice")]


def test_only_what_this_server_keeps_is_registered_anew() -> None:
    row = resources.Resource(
        group="own.example", version="v1", kind="Mug", plural="mugs", singular="mug", namespaced=True
    )
    wanted = registration.custom_services([row])
    built_in = local_services(resources.BUILT_IN)
    names = frozenset(one["metadata"]["name"] for one in built_in)
    theirs = {"metadata": {"name": "v1.theirs"}, "spec": {"version": "v1", "group": "theirs"}}
    gone = registration.custom_services(
        [resources.Resource(group="gone", version="v1", kind="X", plural="xs", singular="x", namespaced=True)]
    )
    plan = registration.plan([*built_in, theirs, *gone.values()], wanted, names)
    assert [one["metadata"]["name"] for one in plan.create] == ["v1.own.example"]
    assert [one["metadata"]["name"] for one in plan.delete] == ["v1.gone"]
    changed = {**wanted["v1.own.example"], "spec": {"version": "v1", "group": "own.example", "versionPriority": 1}}
    again = registration.plan([changed], wanted, names)
    assert [one["spec"] for one in again.update] == [wanted["v1.own.example"]["spec"]]
    kept = registration.plan(wanted.values(), wanted, names)
    assert kept == registration.Plan()


def test_servers_add_to_each_others_trust() -> None:
    one, other = (pki.new_ca(name).certificate_pem.decode() for name in ("a", "b"))
    found = {"client-ca-file": one, "requestheader-allowed-names": '["x"]'}
    wanted = {"client-ca-file": other, "requestheader-allowed-names": '["y","x"]'}
    merged = trust.plan(found, wanted)
    assert merged == {"client-ca-file": one + other, "requestheader-allowed-names": '["x","y"]'}
    assert trust.plan(merged, wanted) == merged
