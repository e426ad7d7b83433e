"""What is refused in a Pod, and in which words."""

from typing import Any

import pytest

from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.validation.pod import validate_pod_template
from kubepy.api.validation.registry import rules_for

RULES = rules_for("", "Pod")
LABEL = "must consist of lower case alphanumeric characters or '-'"


def pod(container: Any = None, meta: Any = None, **spec: Any) -> Any:
    """A pod with its defaults; `container` changes the one container, the rest the spec."""
    made = {
        "metadata": {"name": "p", "namespace": "ns", **(meta or {})},
        "spec": {"containers": [{"name": "c", "image": "x", **(container or {})}], **spec},
    }
    apply_defaults("v1", "Pod", made)
    return made


def faults(obj: Any) -> list[str]:
    return [str(fault) for fault in RULES.create(obj)]


def test_an_ordinary_pod_has_no_faults() -> None:
    assert faults(pod()) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"restartPolicy": "X"}, 'restartPolicy: Unsupported value: "X": supported values: "Always", "OnFailure", '
                                 '"Never"'),
        ({"dnsPolicy": "X"}, 'dnsPolicy: Unsupported value: "X": supported values: "ClusterFirstWithHostNet", '
                             '"ClusterFirst", "Default", "None"'),
        ({"activeDeadlineSeconds": 0}, "activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, "
                                       "inclusive"),
        ({"preemptionPolicy": "X"}, 'preemptionPolicy: Unsupported value: "X": supported values: '
                                    '"PreemptLowerPriority", '
                                    '"Never"'),
        ({"securityContext": {"runAsUser": -5}},
         "securityContext.runAsUser: Invalid value: -5: must be between 0 and 2147483647, inclusive"),
        ({"securityContext": {"sysctls": [{"name": "Bad"}]}},
         'securityContext.sysctls[0].name: Invalid value: "Bad": must have at most 253 characters and match regex '
         r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"),
        ({"securityContext": {"sysctls": [{"name": "net.a"}]}, "hostNetwork": True},
         'securityContext.sysctls[0].name: Invalid value: "net.a": may not be specified when \'hostNetwork\' is true'),
        ({"securityContext": {"fsGroupChangePolicy": "X"}},
         'securityContext.fsGroupChangePolicy: Unsupported value: "X": supported values: "Always", "OnRootMismatch"'),
        ({"securityContext": {"seccompProfile": {"type": "Localhost"}}},
         "securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"),
        ({"securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": " a"}}},
         'securityContext.appArmorProfile.localhostProfile: Invalid value: " a": must not be padded with whitespace'),
        ({"shareProcessNamespace": True, "hostPID": True},
         "securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be "
         "enabled"),
        ({"hostUsers": False, "hostPID": True}, "HostPID: Forbidden: when `hostUsers` is false"),
        ({"hostAliases": [{"ip": "x"}]},
         'hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
        ({"dnsPolicy": "None"}, "dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        ({"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}},
         'dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.1","1.1.1.1","1.1.1.1"]: must not have more than 3 '
         'nameservers'),
        ({"dnsConfig": {"options": [{"value": "1"}]}}, "dnsConfig.options[0]: Required value: must not be empty"),
        ({"imagePullSecrets": [{"name": "a", "key": "b"}]},
         'imagePullSecrets[0]: Invalid value: {"key":"b","name":"a"}: only name may be set'),
        ({"schedulingGates": [{"name": "a"}, {"name": "a"}]}, 'schedulingGates[1]: Duplicate value: "a"'),
        ({"nodeName": "n", "schedulingGates": [{"name": "a"}]},
         "nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"),
        ({"os": {"name": "plan9"}}, 'os: Unsupported value: "plan9": supported values: "linux", "windows"'),
        ({"os": {"name": "windows"}, "hostPID": True}, "hostPID: Forbidden: cannot be set for a windows pod"),
        ({"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}},
         "securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"),
        ({"ephemeralContainers": [{"name": "e", "image": "x", "terminationMessagePolicy": "File",
                                   "imagePullPolicy": "Always"}]},
         "ephemeralContainers: Forbidden: cannot be set on create"),
        ({"overhead": {"cpu": "-1"}},
         'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0'),
        ({"hostnameOverride": "a", "hostNetwork": True},
         'hostnameOverride: Forbidden: may not be specified when `hostNetwork` is true'),
        ({"resourceClaims": [{"name": "a"}]},
         'resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: '
         "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
        ({"resources": {"requests": {"cpu": "1"}, "limits": {"example.com/x": "1"}}},
         'resources.limits[example.com/x]: Unsupported value: "example.com/x": supported values: "cpu", "hugepages-", '
         '"memory"'),
    ],
)  # fmt: skip
def test_a_field_of_the_spec_is_refused(spec: Any, expected: str) -> None:
    assert f"spec.{expected}" in faults(pod(**spec))
    assert len(faults(pod(**spec))) == 1


def test_a_pod_of_its_own_users_has_no_block_devices() -> None:
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    devices = [{"name": "v", "devicePath": "/dev/x"}]
    made = pod(volumes=[claim], containers=[{"name": "c", "image": "x", "volumeDevices": devices}])
    assert faults(made) == []
    made["spec"]["hostUsers"] = False
    assert faults(made) == ["spec.containers[0].volumeDevices: Forbidden: when `hostUsers` is false"]


def test_faults_come_in_the_order_of_upstream() -> None:
    made = pod(
        os={"name": "x"},
        overhead={"cpu": "-1"},
        preemptionPolicy="x",
        hostAliases=[{"ip": "x"}],
        tolerations=[{"operator": "x"}],
        activeDeadlineSeconds=0,
        schedulingGates=[{"name": "_"}],
        readinessGates=[{"conditionType": "_"}],
        dnsConfig={"options": [{}]},
        affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        imagePullSecrets=[{"name": "a", "key": "b"}],
        securityContext={"seLinuxChangePolicy": "x", "fsGroup": -1, "sysctls": [{"name": ""}]},
        nodeSelector={"a": "_"},
        dnsPolicy="x",
        restartPolicy="x",
    )
    told = [fault.partition(":")[0].removeprefix("spec.") for fault in faults(made)]
    assert list(dict.fromkeys(told)) == [
        "restartPolicy",
        "dnsPolicy",
        "nodeSelector",
        "securityContext.fsGroup",
        "securityContext.sysctls[0].name",
        "securityContext.seLinuxChangePolicy",
        "imagePullSecrets[0]",
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
        "dnsConfig.options[0]",
        "readinessGates[0].conditionType",
        "schedulingGates[0]",
        "activeDeadlineSeconds",
        "tolerations[0].operator",
        "hostAliases[0].ip",
        "preemptionPolicy",
        "overhead.limits[cpu]",
        "os",
    ]


@pytest.mark.parametrize("field", ["hostname", "subdomain"])
def test_names_of_the_host_are_labels(field: str) -> None:
    (fault,) = faults(pod(**{field: "Bad_"}))
    assert fault.startswith(f'spec.{field}: Invalid value: "Bad_": a lowercase RFC 1123 label {LABEL}')


@pytest.mark.parametrize("field", ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"])
def test_names_of_other_objects_are_subdomains(field: str) -> None:
    (fault,) = faults(pod(**{field: "Bad_"}))
    assert fault.startswith(f'spec.{field}: Invalid value: "Bad_": a lowercase RFC 1123 subdomain must consist of')


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"image": ""}, ["image: Required value"]),
        ({"image": " "}, ['image: Invalid value: " ": must not have leading or trailing whitespace']),
        ({"imagePullPolicy": "X"},
         ['imagePullPolicy: Unsupported value: "X": supported values: "Always", "IfNotPresent", "Never"']),
        ({"terminationMessagePolicy": "X"},
         ['terminationMessagePolicy: Unsupported value: "X": supported values: "File", "FallbackToLogsOnError"']),
        ({"ports": [{"containerPort": 0}]}, ["ports[0].containerPort: Required value"]),
        ({"ports": [{"containerPort": 70000}]},
         ["ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"]),
        ({"ports": [{"containerPort": 1, "protocol": "X"}]},
         ['ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"']),
        ({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
         ['ports[1].name: Duplicate value: "a"']),
        ({"ports": [{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]},
         ['ports[1].hostPort: Duplicate value: "TCP//9"']),
        ({"env": [{"name": ""}]}, ["env[0].name: Required value"]),
        ({"env": [{"name": "\u00e9"}]},
         ['env[0].name: Invalid value: "\u00e9": a valid environment variable name must consist only of printable '
          "ASCII characters other than '='"]),
        ({"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
         ['env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty']),
        ({"env": [{"name": "A", "valueFrom": {}}]},
         ['env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
          '`configMapKeyRef`, '
          "`secretKeyRef` or `fileKeyRef`"]),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.bogus"}}}]},
         ['env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.bogus": error converting fieldPath: field label '
          'not '
          "supported: spec.bogus"]),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.restartPolicy"}}}]},
         ['env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.restartPolicy": supported values: '
          '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
          '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"']),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}]},
         ['env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1 are '
          "supported with the cpu resource"]),
        ({"envFrom": [{}]}, ['envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']),
        ({"envFrom": [{"secretRef": {}}]}, ["envFrom[0].secretRef.name: Required value"]),
        ({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
         ['resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1']),
        ({"resources": {"requests": {"example.com/gpu": "1"}}},
         ["resources.limits: Required value: Limit must be set for non overcommitable resources"]),
        ({"resources": {"limits": {"hugepages-2Mi": "2Mi"}}},
         ["resources: Forbidden: HugePages require cpu or memory"]),
        ({"resources": {"claims": [{"name": "a"}]}},
         ['resources.claims[0]: Not found: "a": must be one of the names in pod.spec.resourceClaims which is empty']),
        ({"volumeMounts": [{"name": "none", "mountPath": "/x"}]}, ['volumeMounts[0].name: Not found: "none"']),
        ({"livenessProbe": {}}, ["livenessProbe: Required value: must specify a handler type"]),
        ({"livenessProbe": {"httpGet": {"port": 80}, "tcpSocket": {"port": 80}}},
         ["livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"]),
        ({"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}},
         ["livenessProbe.successThreshold: Invalid value: 2: must be 1"]),
        ({"readinessProbe": {"exec": {}, "periodSeconds": -1}},
         ["readinessProbe.exec.command: Required value",
          "readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"]),
        ({"startupProbe": {"grpc": {"port": 0}}},
         ["startupProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
         ["lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
          "terminationGracePeriodSeconds (30)"]),
        ({"lifecycle": {"stopSignal": "SIGHUP"}},
         ["lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"]),
        ({"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
         ['securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,'
          '"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,'
          '"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set '
          "`allowPrivilegeEscalation` to false and `privileged` to true"]),
        ({"securityContext": {"procMount": "Unmasked"}},
         ['securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`']),
        ({"resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]},
         ['resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"']),
        ({"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]},
         ["restartPolicy: Required value: must specify restartPolicy when restart rules are used"]),
    ],
)  # fmt: skip
def test_a_field_of_a_container_is_refused(container: Any, expected: list[str]) -> None:
    assert faults(pod(container)) == [f"spec.containers[0].{text}" for text in expected]


def test_a_resource_that_nobody_knows_is_refused_twice() -> None:
    path = "spec.containers[0].resources.requests[bogus]"
    assert faults(pod({"resources": {"requests": {"bogus": "1"}}})) == [
        f'{path}: Invalid value: "bogus": must be a standard resource type or fully qualified',
        f'{path}: Invalid value: "bogus": must be a standard resource for containers',
    ]


def test_a_pod_needs_containers_with_names_of_their_own() -> None:
    empty = pod()
    empty["spec"]["containers"] = []
    assert faults(empty) == ["spec.containers: Required value"]
    twice = pod(initContainers=[{"name": "c", "image": "x"}])
    assert faults(twice) == ['spec.initContainers[0].name: Duplicate value: "c"']


def test_only_sidecars_among_init_containers_have_probes() -> None:
    init = {"name": "i", "image": "x", "livenessProbe": {"exec": {"command": ["a"]}}}
    assert faults(pod(initContainers=[init])) == [
        "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
        "restartPolicy=Always"
    ]
    assert faults(pod(initContainers=[{**init, "restartPolicy": "Always"}])) == []


def test_on_the_hosts_network_ports_are_the_same_inside_and_outside() -> None:
    assert faults(pod({"ports": [{"containerPort": 80}]}, hostNetwork=True)) == []
    assert faults(pod({"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True)) == [
        "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"
    ]


def test_a_pod_without_account_has_no_token() -> None:
    token = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    assert faults(pod(volumes=[token])) == [
        "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when "
        "serviceAccountName is not set"
    ]
    assert faults(pod(volumes=[token], serviceAccountName="a")) == []


def test_pod_level_resources_are_enough_for_the_containers() -> None:
    made = pod({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "4"}}})
    made["spec"]["resources"] = {"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}
    assert faults(made) == [
        'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container '
        "requests "
        "of 2",
        'spec.resources.containers[0][cpu].limits: Invalid value: "4": must be less than or equal to pod limits of 3',
    ]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"scheduler.alpha.kubernetes.io/tolerations": '[{"operator": "Equal"}]'},
         'metadata.annotations.scheduler.alpha.kubernetes.io/tolerations[0].operator: Invalid value: "Equal": operator '
         'must be Exists when `key` is empty, which means "match all values and all keys"'),
        ({"scheduler.alpha.kubernetes.io/tolerations": "{}"},
         'metadata.annotations: Invalid value: "scheduler.alpha.kubernetes.io/tolerations": json: cannot unmarshal '
         "object into Go value of type []core.Toleration"),
        ({"scheduler.alpha.kubernetes.io/tolerations": "[1]"},
         'metadata.annotations: Invalid value: "scheduler.alpha.kubernetes.io/tolerations": json: cannot unmarshal '
         "number into Go value of type core.Toleration"),
        ({"scheduler.alpha.kubernetes.io/tolerations": "x"},
         'metadata.annotations: Invalid value: "scheduler.alpha.kubernetes.io/tolerations": invalid character \'x\' '
         "looking for beginning of value"),
        ({"controller.kubernetes.io/pod-deletion-cost": "1.5"},
         'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "1.5": must be a 32bit '
         'integer'),
        ({"controller.kubernetes.io/pod-deletion-cost": "9" * 5000},
         f'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "{"9" * 5000}": must be a '
         '32bit integer'),
        ({"kubernetes.io/config.mirror": "x"},
         'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod '
         "annotation is set"),
        ({"container.apparmor.security.beta.kubernetes.io/z": "unconfined"},
         'metadata.annotations[container.apparmor.security.beta.kubernetes.io/z]: Invalid value: "z": container not '
         'found'),
    ],
)  # fmt: skip
def test_annotations_that_mean_something_are_judged(annotations: Any, expected: str) -> None:
    assert faults(pod(meta={"annotations": annotations})) == [expected]


def test_the_annotation_of_a_profile_agrees_with_the_field() -> None:
    made = pod(meta={"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}},
               securityContext={"seccompProfile": {"type": "RuntimeDefault"}})  # fmt: skip
    assert faults(made) == [
        "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match"
    ]


def test_a_template_is_judged_at_its_own_path() -> None:
    template = {"metadata": {"labels": {"-": "x"}}, "spec": pod()["spec"]}
    template["spec"]["containers"][0]["image"] = ""
    found = [fault.field for fault in validate_pod_template(template, "spec.template")]
    assert found == ["spec.template.labels", "spec.template.spec.containers[0].image"]


@pytest.mark.parametrize("cost", ["0", "-0", "-007", "2147483647", "-2147483648"])
def test_a_deletion_cost_is_read_as_go_reads_it(cost: str) -> None:
    assert faults(pod(meta={"annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}})) == []
