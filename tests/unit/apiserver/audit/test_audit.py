"""What is written down of a request, and where."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict

from kubepy.apiserver.admission.attributes import ANNOTATIONS
from kubepy.apiserver.audit.handler import Auditor
from kubepy.apiserver.audit.policy import PolicyError, parse_policy
from kubepy.apiserver.audit.sink import AuditFile
from kubepy.apiserver.authn.impersonation import ACTING, ASKING
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import AlwaysAllow, Authorization
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Answer, Request, Response, Stream

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
    ],
)
def test_a_policy_that_cannot_be_used_is_refused(text: str, fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert any(fault in one for one in caught.value.faults), caught.value.faults


class Sink:
    def __init__(self) -> None:
        self.events: list[Object] = []

    def write(self, event: Mapping[str, Any]) -> None:
        self.events.append(dict(event))


def audit(text: str, request: Request, answer: Answer, acting: UserInfo = ALICE) -> tuple[list[Object], Answer]:
    sink = Sink()

    async def serve(request: Request) -> Answer:
        request.context[ASKING], request.context[ACTING] = ALICE, acting
        return answer

    async def main() -> Answer:
        auditor = Auditor(serve, parse_policy(text), sink, Authorization([AlwaysAllow()]))
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
    assert complete["objectRef"] == {"resource": "pods", "namespace": "default", "apiVersion": "v1"}
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
        auditor = Auditor(serve, policy, sink, Authorization([AlwaysAllow()]))
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
        auditor = Auditor(serve, parse_policy(rules("- {level: Metadata}")), sink, Authorization([AlwaysAllow()]))
        with pytest.raises(asyncio.CancelledError):
            await auditor.handle(post("/api/v1/namespaces/default/pods", {}))

    asyncio.run(main())
    assert [event["stage"] for event in sink.events] == ["RequestReceived", "ResponseComplete"]
    assert {event["user"]["username"] for event in sink.events} == {"alice"}
