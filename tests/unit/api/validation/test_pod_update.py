"""What may change of a Pod, and what may not."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.validation.registry import rules_for

RULES = rules_for("", "Pod")
Change = Callable[[Any], None]


def pod(**spec: Any) -> Any:
    made = {
        "metadata": {"name": "p", "namespace": "ns", "uid": "1"},
        "spec": {"containers": [{"name": "c", "image": "x:1"}], **spec},
        "status": {"phase": "Running", "qosClass": "BestEffort"},
    }
    apply_defaults("v1", "Pod", made)
    return made


def faults(rule: Any, change: Change, old: Any) -> list[str]:
    new = copy.deepcopy(old)
    change(new)
    apply_defaults("v1", "Pod", new)
    return [str(fault).partition("\n")[0] for fault in rule(new, old)]


def updated(change: Change, **spec: Any) -> list[str]:
    return faults(RULES.update, change, pod(**spec))


OTHER = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def test_images_deadlines_labels_and_more_tolerations_may_change() -> None:
    def change(new: Any) -> None:
        new["spec"]["containers"][0]["image"] = "x:2"
        new["spec"]["activeDeadlineSeconds"] = 10
        new["spec"]["tolerations"].append({"key": "b", "operator": "Exists"})
        new["spec"]["tolerations"][0]["tolerationSeconds"] = 5
        new["metadata"]["labels"] = {"a": "b"}

    assert updated(change, tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute"}]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda new: new["spec"]["containers"][0].update(name="z"),
        lambda new: new["spec"]["containers"][0].update(command=["a"]),
        lambda new: new["spec"].update(nodeName="n"),
        lambda new: new["spec"].update(hostNetwork=True),
        lambda new: new["spec"]["securityContext"].update(runAsUser=0),
        lambda new: new["spec"].update(automountServiceAccountToken=False),
        lambda new: new["spec"]["containers"][0]["resources"].update(requests={"cpu": "1"}),
        lambda new: new["spec"].update(nodeSelector={"a": "b"}),
    ],
)
def test_nothing_else_of_the_spec_may_change(change: Change) -> None:
    assert OTHER in updated(change)


def test_what_go_would_have_left_out_is_no_change() -> None:
    def change(new: Any) -> None:
        new["spec"].update(hostNetwork=False, nodeName="", volumes=[], nodeSelector={})
        new["spec"]["containers"][0].update(stdin=False, args=[], workingDir="")

    assert updated(change) == []


@pytest.mark.parametrize(
    ("change", "spec", "expected"),
    [
        (lambda new: new["spec"]["containers"].append({"name": "d", "image": "x"}), {},
         "spec.containers: Forbidden: pod updates may not add or remove containers"),
        (lambda new: new["spec"].update(activeDeadlineSeconds=20), {"activeDeadlineSeconds": 10},
         "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value"),
        (lambda new: new["spec"].pop("activeDeadlineSeconds"), {"activeDeadlineSeconds": 10},
         "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"),
        (lambda new: new["spec"].update(tolerations=[]), {"tolerations": [{"key": "a", "operator": "Exists"}]},
         "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"),
        (lambda new: new["spec"].update(schedulingGates=[{"name": "b"}]), {"schedulingGates": [{"name": "a"}]},
         "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'"),
        (lambda new: new["metadata"].update(uid="2"), {}, 'metadata.uid: Invalid value: "2": field is immutable'),
        (lambda new: new["metadata"].update(annotations={"kubernetes.io/config.mirror": "x"}), {"nodeName": "n"},
         "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation"),
    ],
)  # fmt: skip
def test_a_change_is_refused(change: Change, spec: Any, expected: str) -> None:
    assert updated(change, **spec) == [expected]


def test_a_gated_pod_may_be_narrowed_only() -> None:
    gated: Any = {"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "1"}}
    assert updated(lambda new: new["spec"]["nodeSelector"].update(b="2"), **gated) == []
    assert updated(lambda new: new["spec"]["nodeSelector"].update(a="2"), **gated) == [
        'spec.nodeSelector: Invalid value: {"a":"2"}: only additions to spec.nodeSelector are allowed (no mutations or '
        "deletions)"
    ]
    term = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    wanted = {"nodeAffinity": {required: {"nodeSelectorTerms": [term]}}}
    assert updated(lambda new: new["spec"].update(affinity=wanted), **gated) == []

    def another_term(new: Any) -> None:
        new["spec"]["affinity"]["nodeAffinity"][required]["nodeSelectorTerms"].append(term)

    (fault,) = updated(another_term, **gated, affinity=wanted)
    assert "no additions/deletions to non-empty NodeSelectorTerms list are allowed" in fault


def test_gates_may_go_one_by_one() -> None:
    gates = [{"name": "a"}, {"name": "b"}]
    assert updated(lambda new: new["spec"]["schedulingGates"].pop(), schedulingGates=gates) == []


def ephemeral(change: Change, **spec: Any) -> list[str]:
    return faults(RULES.subresources["ephemeralcontainers"], change, pod(**spec))


DEBUGGER = {"name": "e", "image": "busybox"}


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ({}, []),
        ({"name": "c"}, ['spec.ephemeralContainers[0].name: Duplicate value: "c"']),
        ({"targetContainerName": "z"}, ['spec.ephemeralContainers[0].targetContainerName: Not found: "z"']),
        ({"ports": [{"containerPort": 1}]},
         ["spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"]),
        ({"resources": {"limits": {"cpu": "1"}}},
         ["spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container"]),
    ],
)  # fmt: skip
def test_an_ephemeral_container_is_plain(added: Any, expected: list[str]) -> None:
    assert ephemeral(lambda new: new["spec"].update(ephemeralContainers=[{**DEBUGGER, **added}])) == expected


def test_ephemeral_containers_stay() -> None:
    assert ephemeral(lambda new: new["spec"].pop("ephemeralContainers"), ephemeralContainers=[dict(DEBUGGER)]) == [
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed'
    ]
    change = lambda new: new["spec"]["ephemeralContainers"][0].update(image="z")  # noqa: E731
    assert ephemeral(change, ephemeralContainers=[dict(DEBUGGER)]) == [
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be changed'
    ]


def resized(change: Change, **resources: Any) -> list[str]:
    return resized_pod(change, containers=[{"name": "c", "image": "x:1", "resources": resources}])


def resized_pod(change: Change, status: Any = None, **spec: Any) -> list[str]:
    old = pod(**spec)
    old["status"] = status or {}
    return faults(RULES.subresources["resize"], change, old)


def test_cpu_and_memory_may_be_resized() -> None:
    change = lambda new: new["spec"]["containers"][0]["resources"]["requests"].update(cpu="2")  # noqa: E731
    assert resized(change, requests={"cpu": "1"}) == []


ONLY = "only cpu and memory resources"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c["resources"].pop("requests"),
         ['spec: Invalid value: "": Pod QOS Class may not change as a result of resizing',
          "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"]),
        (lambda c: c.update(image="y"), [f"spec: Forbidden: {ONLY} are mutable"]),
        (lambda c: c.update(name="d"),
         ["spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"]),
        (lambda c: c["resources"]["requests"].update({"ephemeral-storage": "1Gi"}),
         [f"spec: Forbidden: {ONLY} are mutable"]),
    ],
)  # fmt: skip
def test_a_resize_is_refused(change: Change, expected: list[str]) -> None:
    assert resized(lambda new: change(new["spec"]["containers"][0]), requests={"cpu": "1"}) == expected


def burst(name: str, **fields: Any) -> Any:
    return {"name": name, "image": "x:1", "resources": {"requests": {"cpu": "1"}}, **fields}


RESTARTS = {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}


@pytest.mark.parametrize(
    ("init", "change", "expected"),
    [
        (burst("i"), lambda c: c["resources"]["requests"].update(cpu="2"), []),
        (burst("i", restartPolicy="Always"), lambda c: c["resources"]["requests"].update(cpu="2"), []),
        (burst("i", **RESTARTS), lambda c: c["resources"]["requests"].update(cpu="2"),
         ["spec.initContainers[0]: Forbidden: non-sidecar init containers with a resize policy of RestartContainer "
          "cannot be resized"]),
        (burst("i"), lambda c: c.update(image="y"),
         [f"spec.initContainers[0]: Forbidden: {ONLY} for init or sidecar containers are mutable"]),
        (burst("i"), lambda c: c["resources"].pop("requests"),
         ["spec.initContainers[0].resources.requests: Forbidden: resource requests cannot be removed"]),
    ],
)  # fmt: skip
def test_init_containers_are_resized_like_others(init: Any, change: Change, expected: list[str]) -> None:
    told = resized_pod(
        lambda new: change(new["spec"]["initContainers"][0]), containers=[burst("c")], initContainers=[init]
    )
    assert told == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda spec: spec["resources"]["requests"].update(cpu="2"), []),
        (lambda spec: spec.pop("resources"), ["spec.resources: Forbidden: pod-level resources cannot be removed"]),
        (lambda spec: spec["resources"]["requests"].pop("memory"),
         ["spec.resources.requests: Forbidden: pod-level resource requests cannot be removed"]),
        (lambda spec: spec["resources"]["requests"].update({"hugepages-2Mi": "2Mi"}),
         ["spec.resources.limits: Required value: Limit must be set for non overcommitable resources",
          f"spec: Forbidden: {ONLY} are mutable at pod-level"]),
    ],
)  # fmt: skip
def test_a_pod_itself_is_resized(change: Change, expected: list[str]) -> None:
    own = {"requests": {"cpu": "1", "memory": "1Gi"}}
    told = resized_pod(lambda new: change(new["spec"]), containers=[burst("c")], resources=own)
    assert told == expected


def test_a_pod_may_get_resources_of_its_own() -> None:
    change = lambda new: new["spec"].update(resources={"requests": {"cpu": "2"}})  # noqa: E731
    assert resized_pod(change, containers=[burst("c")]) == []


def test_no_container_comes_or_goes_with_a_resize() -> None:
    def change(new: Any) -> None:
        new["spec"]["containers"].append(burst("d"))
        new["spec"]["initContainers"] = [burst("e")]

    assert resized_pod(change, containers=[burst("c")]) == [
        "spec.containers: Forbidden: containers may not be added or removed on resize",
        "spec.initContainers: Forbidden: initContainers may not be added or removed on resize",
    ]


def test_some_pods_are_not_resized() -> None:
    def change(new: Any) -> None:
        new["spec"]["containers"][0]["resources"]["requests"].update(cpu="2")

    claimed = {"nodeAllocatableResourceClaimStatuses": [{"resourceClaimName": "r"}]}
    assert resized_pod(change, claimed, containers=[burst("c")]) == [
        "spec: Forbidden: pods with node allocatable resource claims cannot be resized"
    ]
    running = {"containerStatuses": [{"name": "c", "state": {"running": {}}}]}
    assert resized_pod(change, running, containers=[burst("c")]) == [
        "spec: Forbidden: Pod running on node without support for resize"
    ]
    assert resized_pod(change, {"qosClass": "Guaranteed"}, containers=[burst("c")]) == [
        'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing'
    ]
    assert resized_pod(change, containers=[burst("c")], os={"name": "windows"}) == [
        ": Forbidden: windows pods cannot be resized"
    ]


def status(change: Change, old: Any) -> list[str]:
    return faults(RULES.status or RULES.update, lambda new: change(new["status"]), old)


def test_the_kubelet_may_tell_where_and_how_a_pod_runs() -> None:
    def change(now: Any) -> None:
        now.update(phase="Running", podIP="10.0.0.1", hostIP="1.1.1.1", hostIPs=[{"ip": "1.1.1.1"}])
        now["conditions"] = [{"type": "Ready", "status": "True"}, {"type": "example.com/gate", "status": "True"}]

    assert status(change, pod()) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda now: now.update(qosClass="Guaranteed"),
         'status.qosClass: Invalid value: "Guaranteed": field is immutable'),
        (lambda now: now.update(podIP="", podIPs=[{"ip": "x"}]),
         'status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
        (lambda now: now.update(podIP="10.0.0.1", podIPs=[{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]),
         'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.2"}]: may specify no more than one IP for '
         'each IP '
         "family"),
        (lambda now: now.update(hostIP="1.1.1.2", hostIPs=[{"ip": "1.1.1.1"}]),
         'status.hostIPs[0].ip: Invalid value: "1.1.1.1": must be equal to `hostIP`'),
        (lambda now: now.update(containerStatuses=[{"name": "c", "user": {"linux": {"uid": -1, "gid": 0}}}]),
         "status.containerStatuses[0].user.linux.uid: Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        (lambda now: now.update(containerStatuses=[
            {"name": "c", "user": {"linux": {"uid": 0, "gid": 0, "supplementalGroups": [-1]}}}]),
         "status.containerStatuses[0].user.linux.supplementalGroups[0]: Invalid value: -1: must be between 0 and "
         "2147483647, "
         "inclusive"),
        (lambda now: now.update(containerStatuses=[{"name": "c", "allocatedResourcesStatus": [{"name": "gpu"}]}]),
         'status.containerStatuses[0].allocatedResourcesStatus[0].name: Invalid value: "gpu": must match one of the '
         "container's resource requests"),
        (lambda now: now.update(conditions=[{"type": "-"}]),
         'status.conditions[0].Type: Invalid value: "-": name part must consist of alphanumeric characters, \'-\', '
         "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
         "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"),
        (lambda now: now.update(conditions=[{"type": "Ready", "observedGeneration": -1}]),
         "status.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer"),
        (lambda now: now.update(observedGeneration=-1),
         "status.observedGeneration: Invalid value: -1: must be a non-negative integer"),
        (lambda now: now.update(extendedResourceClaimStatus={"resourceClaimName": "r"}),
         "status.extendedResourceClaimStatus.requestMappings: Required value: at least one request mapping is "
         "required"),
        (lambda now: now.update(extendedResourceClaimStatus={
            "resourceClaimName": "r",
            "requestMappings": [{"containerName": "z", "resourceName": "e.com/x", "requestName": "q"}]}),
         'status.extendedResourceClaimStatus.requestMappings[0].containerName: Invalid value: "z": must match the name '
         "of an entry in spec.initContainers.name or spec.containers.name"),
        (lambda now: now.update(extendedResourceClaimStatus={
            "resourceClaimName": "",
            "requestMappings": [{"containerName": "c", "resourceName": "cpu", "requestName": "q"}]}),
         "status.extendedResourceClaimStatus.resourceClaimName: Required value"),
        (lambda now: now.update(resourceClaimStatuses=[{"name": "a"}]),
         'status.resourceClaimStatuses[0].name: Invalid value: "a": must match the name of an entry in '
         "`spec.resourceClaims`"),
    ],
)  # fmt: skip
def test_a_status_is_refused(change: Change, expected: str) -> None:
    container = {"name": "c", "image": "x:1", "resources": {"requests": {"cpu": "1"}}}
    assert status(change, pod(containers=[container])) == [expected]


def test_a_bound_pod_is_not_nominated_anew() -> None:
    told = status(lambda now: now.update(nominatedNodeName="m"), pod(nodeName="n"))
    assert told == ["status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"]
    assert status(lambda now: now.update(nominatedNodeName="m"), pod()) == []


def test_addresses_that_were_there_are_not_judged_again() -> None:
    old = pod()
    old["status"].update(podIP="010.0.0.1", podIPs=[{"ip": "010.0.0.1"}], hostIP="x", hostIPs=[{"ip": "x"}])
    assert status(lambda now: now.update(phase="Failed"), old) == []


@pytest.mark.parametrize(("code", "allowed"), [(3, True), (4, False)])
def test_a_rule_restarts_what_its_policy_would_not(code: int, allowed: bool) -> None:
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [3]}}
    container = {"name": "c", "image": "x:1", "restartPolicy": "Never", "restartPolicyRules": [rule]}
    old = pod(containers=[container])
    old["status"]["containerStatuses"] = [{"name": "c", "state": {"terminated": {"exitCode": code}}}]
    told = status(lambda now: now["containerStatuses"][0].update(state={"running": {}}), old)
    assert (told == []) == allowed


@pytest.mark.parametrize(
    ("policy", "code", "allowed"),
    [("Always", 0, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_a_container_that_ended_for_good_stays_ended(policy: str, code: int, allowed: bool) -> None:
    old = pod(restartPolicy=policy)
    old["status"]["containerStatuses"] = [{"name": "c", "state": {"terminated": {"exitCode": code}}}]
    found = status(lambda now: now["containerStatuses"][0].update(state={"running": {}}), old)
    refusal = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    assert found == ([] if allowed else [refusal])


def test_a_binding_names_a_node() -> None:
    rules = rules_for("", "Binding")
    assert [str(fault) for fault in rules.create({"target": {"kind": "Pod"}})] == [
        'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"',
        "target.name: Required value",
    ]
