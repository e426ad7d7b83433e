"""What is written down of a request, and where."""

import asyncio
import gzip
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict

from kubepy.apiserver.admission.attributes import ANNOTATIONS
from kubepy.apiserver.audit.encoding import fitting
from kubepy.apiserver.audit.handler import Auditor
from kubepy.apiserver.audit.policy import PolicyError, parse_policy
from kubepy.apiserver.audit.sink import AuditFile
from kubepy.apiserver.authn.impersonation import ACTING, ASKING
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import ALLOWED, DECISION
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Answer, Connection, Request, Response, Stream, Upgrade
from tests.unit.apiserver.http.protobuf_library import write

Object = dict[str, Any]
ALICE = UserInfo("alice", groups=("dev",))
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def rules(text: str) -> str:
    return f"{HEAD}rules:\n{text}"


def info(
    verb: str, resource: str = "", namespace: str = "", name: str = "", group: str = "", path: str = ""
) -> RequestInfo:
    plural, _, subresource = resource.partition("/")
    return RequestInfo(verb, path, bool(resource), group, "v1", plural, subresource, namespace, name)


POLICY = parse_policy(
    rules(
        """
- {level: None, users: [system:kube-proxy], verbs: [watch], resources: [{group: "", resources: [endpoints]}]}
- {level: None, nonResourceURLs: [/healthz*, /version]}
- {level: Metadata, resources: [{group: "", resources: [secrets, pods/log, "*/exec"]}]}
- {level: Request, namespaces: [kube-system]}
- {level: RequestResponse, userGroups: [dev], resources: [{group: apps}], omitStages: [RequestReceived]}
- {level: Metadata, resources: [{group: "", resources: [configmaps], resourceNames: [lock]}]}
"""
    )
)


@pytest.mark.parametrize(
    ("asked", "level"),
    [
        (info("get", path="/healthz/etcd"), "None"),
        (info("get", path="/metrics"), "None"),
        (info("get", "secrets", "kube-system"), "Metadata"),
        (info("get", "pods/log", "default"), "Metadata"),
        (info("create", "pods/exec", "default"), "Metadata"),
        (info("get", "pods", "kube-system"), "Request"),
        (info("create", "deployments", "default", group="apps"), "RequestResponse"),
        (info("get", "configmaps", "default", "lock"), "Metadata"),
        (info("get", "configmaps", "default", "other"), "None"),
    ],
)
def test_the_first_rule_that_means_a_request_says_the_level(asked: RequestInfo, level: str) -> None:
    assert POLICY.judge(ALICE, asked).level == level


def test_rules_for_users_mean_no_others() -> None:
    policy = parse_policy(rules("- {level: None, users: [alice]}\n- {level: Metadata}"))
    assert policy.judge(ALICE, info("get", "pods")).level == "None"
    assert policy.judge(None, info("get", "pods")).level == "Metadata"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not YAML"),
        ("kind: Other", "kind must be Policy"),
        (HEAD, "rules: Required value"),
        (rules("- {level: Everything}"), "rules[0].level: Unsupported value: 'Everything'"),
        (rules("- {level: None, omitStages: [Never]}"), "rules[0].omitStages: Unsupported value: 'Never'"),
        (rules("- {level: None, nonResourceURLs: [/a], namespaces: [b]}"), "cannot apply to both"),
        (rules("- {level: None, nonResourceURLs: [healthz]}"), "must begin with a '/' character"),
        (rules("- {level: None, nonResourceURLs: ['/a/*/b']}"), "must be the final character of the rule"),
        (rules("- {level: None, resources: [{group: apps/v1}]}"), 'resources[0].group: Invalid value: "apps/v1"'),
        (rules("- {level: None, resources: [{resourceNames: [a]}]}"), "requires at least one resource"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused(text: str, fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert any(fault in one for one in caught.value.faults), caught.value.faults


def test_a_resource_with_all_of_its_subresources_is_meant_itself() -> None:
    policy = parse_policy(rules('- {level: Request, resources: [{resources: ["pods/*"]}]}'))
    levels = [policy.judge(ALICE, info("get", one)).level for one in ("pods", "pods/log", "nodes", "nodes/log")]
    assert levels == ["Request", "Request", "None", "None"]


class Sink:
    def __init__(self) -> None:
        self.events: list[Object] = []

    def write(self, event: Mapping[str, Any]) -> None:
        self.events.append(dict(event))

    async def settle(self) -> None:
        """At once."""


def audit(text: str, request: Request, answer: Answer, acting: UserInfo = ALICE) -> tuple[list[Object], Answer]:
    sink = Sink()

    async def serve(request: Request) -> Answer:
        request.context |= {ASKING: ALICE, ACTING: acting, DECISION: ALLOWED}
        return answer

    async def main() -> Answer:
        auditor = Auditor(serve, parse_policy(text), sink)
        found = await auditor.handle(request)
        if isinstance(found, Stream):
            async for _ in found.chunks:
                pass
        return found

    return sink.events, asyncio.run(main())


def post(path: str, body: Object) -> Request:
    headers = CIMultiDict({"User-Agent": "kubectl", "Content-Type": "application/json"})
    return Request("POST", path, "dryRun=All", headers, orjson.dumps(body), remote="10.0.0.9")


def test_an_event_tells_who_did_what_to_what_and_how_it_ended() -> None:
    sent = {"kind": "Pod", "metadata": {"name": "web", "managedFields": [1]}}
    request = post("/api/v1/namespaces/default/pods", sent)
    text = rules("- {level: RequestResponse, omitManagedFields: true}")
    events, answer = audit(text, request, Response(201, orjson.dumps(sent)), UserInfo("bob"))
    received, complete = events
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert "responseStatus" not in received
    assert complete["requestURI"] == "/api/v1/namespaces/default/pods?dryRun=All"
    assert (complete["verb"], complete["userAgent"], complete["sourceIPs"]) == ("create", "kubectl", ["10.0.0.9"])
    assert complete["user"] == {"username": "alice", "groups": ["dev"]}
    assert complete["impersonatedUser"] == {"username": "bob"}
    assert complete["objectRef"] == {"resource": "pods", "namespace": "default", "name": "web", "apiVersion": "v1"}
    assert complete["responseStatus"] == {"metadata": {}, "code": 201}
    assert complete["requestObject"] == {"kind": "Pod", "metadata": {"name": "web"}}
    assert complete["responseObject"] == {"kind": "Pod", "metadata": {"name": "web"}}
    assert complete["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert answer.headers["audit-id"] == complete["auditID"]


def test_metadata_holds_no_bodies_and_a_failure_its_status() -> None:
    status = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": "no", "code": 403}
    request = post("/api/v1/namespaces/default/secrets", {"kind": "Secret"})
    text = rules("- {level: Metadata, omitStages: [RequestReceived]}")
    [event], _ = audit(text, request, Response(403, orjson.dumps(status)))
    assert event["responseStatus"] == {
        "metadata": {},
        "code": 403,
        "status": "Failure",
        "reason": "Forbidden",
        "message": "no",
    }
    assert "requestObject" not in event


def test_a_stream_is_told_at_its_start_and_its_end() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"

    request = Request("GET", "/api/v1/pods", "watch=true")
    events, _ = audit(rules("- {level: Metadata}"), request, Stream(chunks()))
    assert [event["stage"] for event in events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert events[0]["verb"] == "watch"


def test_a_stream_that_nobody_reads_is_closed_and_told_of() -> None:
    class Chunks:
        closed = False

        def __aiter__(self) -> "Chunks":
            return self

        async def __anext__(self) -> bytes:
            return b"a"

        async def aclose(self) -> None:
            self.closed = True

    sink, chunks = Sink(), Chunks()

    async def serve(request: Request) -> Answer:
        return Stream(chunks)

    async def main() -> None:
        policy = parse_policy(rules("- {level: Metadata}"))
        auditor = Auditor(serve, policy, sink)
        found = await auditor.handle(Request("GET", "/api/v1/pods", "watch=true"))
        assert isinstance(found, Stream)
        await found.chunks.aclose()  # type: ignore[attr-defined]  # as the server closes what it does not send

    asyncio.run(main())
    assert chunks.closed
    assert sink.events[-1]["stage"] == "ResponseComplete"


def test_what_the_policy_leaves_out_is_not_written() -> None:
    assert audit(rules("- {level: None}"), Request("GET", "/version"), Response())[0] == []


def test_the_file_holds_a_line_an_event_and_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "audit.log"
    log = AuditFile(str(path), most_mb=1, backups=2)
    for number in range(5):
        log.write({"number": number, "filling": "x" * 600_000})
    log.close()
    assert orjson.loads(path.read_bytes())["number"] == 4
    rotated = sorted(path.parent.glob("audit-*.log"))
    assert [orjson.loads(one.read_bytes())["number"] for one in rotated] == [2, 3]


def test_what_admission_noted_is_told_and_patches_only_where_bodies_are() -> None:
    patch = "patch.webhook.admission.k8s.io/round_0_index_0"
    for level, expected in (("Metadata", {"hook/a": "1"}), ("Request", {"hook/a": "1", patch: "[]"})):
        request = post("/api/v1/namespaces/default/secrets", {"kind": "Secret"})
        request.context[ANNOTATIONS] = {"hook/a": "1", patch: "[]"}
        events, _ = audit(rules(f"- {{level: {level}, omitStages: [RequestReceived]}}"), request, Response(201))
        found = events[0]["annotations"]
        assert {key: value for key, value in found.items() if "authorization" not in key} == expected


def test_log_that_two_processes_write_is_whole_and_rotated_once(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    logs = [AuditFile(str(path), most_mb=1) for _ in range(2)]  # what files tell processes apart by, they tell these by
    for number in range(600):
        for writer, log in enumerate(logs):
            log.write({"writer": writer, "number": number, "filler": "x" * 2000})
    for log in logs:
        log.close()
    files = sorted(tmp_path.iterdir())
    events = [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]
    for writer in range(2):
        assert sorted(event["number"] for event in events if event["writer"] == writer) == list(range(600))
    assert 3 <= len(files) <= 4
    assert max(file.stat().st_size for file in files) < 2 << 20


def test_a_request_whose_sender_hangs_up_is_written_down() -> None:
    sink = Sink()

    async def serve(request: Request) -> Answer:
        request.context[ASKING] = request.context[ACTING] = ALICE
        raise asyncio.CancelledError

    async def main() -> None:
        auditor = Auditor(serve, parse_policy(rules("- {level: Metadata}")), sink)
        with pytest.raises(asyncio.CancelledError):
            await auditor.handle(post("/api/v1/namespaces/default/pods", {}))

    asyncio.run(main())
    assert [event["stage"] for event in sink.events] == ["RequestReceived", "ResponseComplete"]
    assert {event["user"]["username"] for event in sink.events} == {"alice"}


def told(
    text: str, request: Request, answer: Answer, context: Object | None = None, sink: Any = None
) -> tuple[list[Object], Answer]:
    """The events of a request, and its answer; `context` is what the layers below found out."""
    sink = sink or Sink()

    async def serve(request: Request) -> Answer:
        request.context |= context or {}
        return answer

    return sink.events, asyncio.run(Auditor(serve, parse_policy(text), sink).handle(request))


def test_a_refused_impersonation_is_not_said_to_be_allowed() -> None:
    """It came to no authorization of the request itself, which another user might have passed."""
    context = {ASKING: ALICE, ACTING: ALICE}
    events, _ = told(rules("- {level: Metadata}"), Request("GET", "/api/v1/pods"), Response(403), context)
    assert "annotations" not in events[-1]
    assert "impersonatedUser" not in events[-1]


def test_a_fault_in_auditing_changes_no_answer() -> None:
    class Broken(Sink):
        def write(self, event: Mapping[str, Any]) -> None:
            raise OSError("no space left")

    answer = Response(201)
    _, found = told(rules("- {level: Metadata}"), Request("POST", "/api/v1/pods"), answer, sink=Broken())
    assert found is answer


def test_who_is_not_authenticated_is_told_of_once_with_what_was_tried() -> None:
    request = Request("GET", "/api/v1/pods", headers=CIMultiDict({"Authorization": "Bearer x"}))
    [event], _ = told(rules("- {level: Metadata}"), request, Response(401))
    assert event["stage"] == "ResponseStarted"
    assert event["responseStatus"]["message"] == "Authentication failed, attempted: bearer"
    [event], _ = told(rules("- {level: Metadata}"), Request("GET", "/api/v1/pods"), Response(401))
    assert event["responseStatus"]["message"] == "Authentication failed, no credentials provided"


def test_a_request_keeps_the_name_that_its_sender_gave_it() -> None:
    request = Request("GET", "/api/v1/pods", headers=CIMultiDict({"Audit-ID": "mine"}))
    events, answer = told(rules("- {level: Metadata}"), request, Response())
    assert {event["auditID"] for event in events} == {"mine"}
    assert answer.headers["audit-id"] == "mine"


def test_addresses_of_proxies_come_before_the_one_that_cannot_be_made_up() -> None:
    headers = CIMultiDict({"X-Forwarded-For": "10.1.1.1, nonsense, 10.1.1.2", "X-Real-Ip": "10.1.1.3"})
    request = Request("GET", "/api/v1/pods", headers=headers, remote="10.0.0.9")
    events, _ = told(rules("- {level: Metadata}"), request, Response())
    assert events[0]["sourceIPs"] == ["10.1.1.1", "10.1.1.2", "10.1.1.3", "10.0.0.9"]


def test_a_refused_watch_has_begun_and_ended_and_a_list_only_ended() -> None:
    text = rules("- {level: Metadata, omitStages: [RequestReceived]}")
    events, _ = told(text, Request("GET", "/api/v1/pods", "watch=1"), Response(403))
    assert [event["stage"] for event in events] == ["ResponseStarted", "ResponseComplete"]
    events, _ = told(text, Request("GET", "/api/v1/pods"), Response(403))
    assert [event["stage"] for event in events] == ["ResponseComplete"]


def test_an_upgrade_is_complete_when_it_ends() -> None:
    sink = Sink()

    async def speak(connection: Connection) -> None:
        assert [event["stage"] for event in sink.events] == ["RequestReceived", "ResponseStarted"]

    async def main() -> None:
        async def serve(request: Request) -> Answer:
            return Upgrade(speak, {})

        auditor = Auditor(serve, parse_policy(rules("- {level: Metadata}")), sink)
        found = await auditor.handle(Request("POST", "/api/v1/namespaces/a/pods/b/exec"))
        assert isinstance(found, Upgrade)
        await found.serve(None)  # type: ignore[arg-type]  # nothing is said on it

    asyncio.run(main())
    assert sink.events[-1]["stage"] == "ResponseComplete"


def test_what_was_deleted_is_told_by_the_status_of_the_answer() -> None:
    status = {"kind": "Status", "status": "Success", "details": {"name": "a", "kind": "pods"}}
    request = Request("DELETE", "/api/v1/namespaces/a/pods/b")
    events, _ = told(rules("- {level: Metadata}"), request, Response(200, orjson.dumps(status)))
    assert events[-1]["responseStatus"] == {
        "metadata": {}, "code": 200, "status": "Success", "details": status["details"]
    }  # fmt: skip


def test_headers_that_are_no_text_do_not_stop_the_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditFile(str(path))
    log.write({"userAgent": "a\udcffb"})
    log.close()
    assert orjson.loads(path.read_bytes()) == {"userAgent": "a?b"}


def test_a_rotated_log_is_compressed_where_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditFile(str(path), most_mb=1, backups=1, compress=True)
    for number in range(5):
        log.write({"number": number, "filling": "x" * 600_000})
    log.close()
    [packed] = tmp_path.glob("audit-*")
    assert packed.suffixes[-1] == ".gz"
    assert {stat.S_IMODE(one.stat().st_mode) for one in (path, packed)} == {0o600}
    assert orjson.loads(gzip.decompress(packed.read_bytes()))["number"] == 3


def test_an_event_that_is_too_large_loses_its_bodies_or_goes() -> None:
    event = {"auditID": "a", "requestObject": {"data": "x" * 100}, "annotations": {"b": "c"}}
    assert fitting(event, None) == orjson.dumps(event)
    cut = fitting(event, 100)
    assert cut is not None
    assert orjson.loads(cut) == {"auditID": "a", "annotations": {"b": "c", "audit.k8s.io/truncated": "true"}}
    assert fitting(event, 10) is None


def test_the_format_of_old_is_a_line_of_text(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditFile(str(path), is_text=True)
    event = {
        "auditID": "id-1", "stage": "ResponseComplete", "verb": "create", "requestURI": "/api/v1/pods?x=1",
        "user": {"username": "alice", "groups": ["a", "b"]}, "sourceIPs": ["10.0.0.9"], "userAgent": 'k"',
        "objectRef": {"namespace": "default"}, "responseStatus": {"code": 201},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.678000Z",
    }  # fmt: skip
    log.write(event)
    log.write({**event, "user": {}, "objectRef": None, "responseStatus": None, "impersonatedUser": {"username": "bob"}})
    log.close()
    first, second = path.read_text().splitlines()
    assert first == (
        '2026-01-02T03:04:05.678Z AUDIT: id="id-1" stage="ResponseComplete" ip="10.0.0.9" method="create" '
        'user="alice" groups="\\"a\\",\\"b\\"" as="<self>" asgroups="<lookup>" user-agent="k\\"" '
        'namespace="default" uri="/api/v1/pods?x=1" response="201"'
    )
    assert 'user="<none>" groups="<none>" as="bob"' in second
    assert 'namespace="<none>"' in second
    assert second.endswith('response="<deferred>"')


def test_others_are_answered_while_a_large_message_is_written_down() -> None:
    data = {f"key-{number}": "some text of no importance" for number in range(6000)}
    large = write("core.v1.ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": data})
    headers = CIMultiDict({"Content-Type": "application/vnd.kubernetes.protobuf"})
    request, sink = Request("POST", "/api/v1/namespaces/default/configmaps", "", headers, large), Sink()

    async def serve(request: Request) -> Answer:
        return Response(201)

    async def main() -> None:
        auditor = Auditor(serve, parse_policy(rules("- {level: Request}")), sink)
        writing = asyncio.ensure_future(auditor.handle(request))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not writing.done()
        await writing

    asyncio.run(main())
    assert sink.events[-1]["requestObject"]["data"] == data
