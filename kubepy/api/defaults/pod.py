"""Defaults of Pods, and of the PodSpec that every template of the API shares.

`default_pod_spec` is what templates get; a Pod itself gets more (requests from limits, host ports, service links), so
that those never show up in a workload's template.
Source: pkg/apis/core/v1/defaults.go, SetDefaults_Pod and SetDefaults_PodSpec; conversion.go for serviceAccount.
"""

from collections.abc import Callable

from kubepy.api import pods, quantity
from kubepy.api.defaults.images import default_pull_policy
from kubepy.api.defaults.volumes import default_field_ref, default_volumes
from kubepy.api.meta import Object

_POD_RESOURCES: tuple[str, ...] = ("cpu", "memory")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def default_pod(pod: Object) -> None:
    """Defaults of a Pod."""
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            _requests_from_limits(container["resources"])
            if spec.get("hostNetwork"):
                _host_ports(container)
    if spec.get("resources"):
        _pod_level_resources(spec)
    spec.setdefault("enableServiceLinks", True)
    if status := pod.get("status"):
        _addresses(status)


def default_pod_template(template: Object) -> None:
    """Defaults of a pod template of a workload."""
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def default_pod_spec(spec: Object) -> None:
    """Defaults that pods and pod templates have in common."""
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    if not spec.get("schedulerName"):
        spec["schedulerName"] = "default-scheduler"
    _service_account(spec)
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            default_container(container)
    if volumes := spec.get("volumes"):
        default_volumes(volumes)
    for holder in (spec, spec.get("resources") or {}):
        default_resource_list(holder.get("overhead"))
        default_resource_list(holder.get("requests"))
        default_resource_list(holder.get("limits"))


def default_container(container: Object) -> None:
    """Defaults of a container of any sort."""
    default_pull_policy(container, "imagePullPolicy", container.get("image", ""))
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    resources = container.get("resources")
    if resources is None:
        resources = container["resources"] = {}
    else:
        default_resource_list(resources.get("requests"))
        default_resource_list(resources.get("limits"))
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        if source and source.get("fieldRef"):
            default_field_ref(source["fieldRef"])
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            _probe(probe)
    if lifecycle := container.get("lifecycle"):
        for hook in ("postStart", "preStop"):
            _handler(lifecycle.get(hook) or {})


def default_resource_list(resources: Object | None) -> None:
    """Rounds quantities finer than a thousandth up to it."""
    for name, amount in (resources or {}).items():
        if isinstance(amount, str) and amount[-1:] in ("n", "u"):
            resources[name] = quantity.round_up(amount)  # type: ignore[index]  # it had an item


def _service_account(spec: Object) -> None:
    """`serviceAccount` is the deprecated alias: both are always shown, and the new name wins."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _probe(probe: Object) -> None:
    for key, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(key):
            probe[key] = value
    _handler(probe)
    if (grpc := probe.get("grpc")) is not None:
        grpc.setdefault("service", "")


def _handler(handler: Object) -> None:
    if (get := handler.get("httpGet")) is not None:
        if not get.get("path"):
            get["path"] = "/"
        if not get.get("scheme"):
            get["scheme"] = "HTTP"


def _requests_from_limits(resources: Object) -> None:
    limits = resources.get("limits")
    if limits:
        resources["requests"] = {**limits, **(resources.get("requests") or {})}


def _pod_level_resources(spec: Object) -> None:
    """Requests and limits of the pod itself, where it names one of them: from its containers, else from its limits."""
    own = spec["resources"]
    requests, limits = dict(own.get("requests") or {}), dict(own.get("limits") or {})
    if not requests and not limits:
        return
    asked, allowed = pods.aggregate(spec, "requests"), pods.aggregate(spec, "limits")
    pages = {name: allowed[name] for name in allowed.keys() - requests.keys() if name.startswith("hugepages-")}
    limits = {**_written(pages), **limits}
    if not limits:
        limits = _written({name: allowed[name] for name in _POD_RESOURCES if _all_limit(spec, name)})
    if limits:
        overcommitted = {name: asked[name] for name in _POD_RESOURCES if name in asked}
        fitting = {name: limit for name, limit in limits.items() if name not in overcommitted and _is_of_pods(name)}
        requests = {**fitting, **_written(overcommitted), **requests}
    own.update({"requests": requests} if requests else {})
    own.update({"limits": limits} if limits else {})


def _is_of_pods(name: str) -> bool:
    return name in _POD_RESOURCES or name.startswith("hugepages-")


def _all_limit(spec: Object, name: str) -> bool:
    containers = list(pods.containers_of(spec))
    return bool(containers) and all(name in ((c.get("resources") or {}).get("limits") or {}) for c in containers)


def _written(amounts: pods.Amounts) -> Object:
    return {name: pods.as_quantity(name, amount) for name, amount in amounts.items()}


def _addresses(status: Object) -> None:
    """The pod's first address stands alone and in the list; older kubelets know the single field only."""
    address, addresses = status.get("podIP"), status.get("podIPs")
    if address and (not addresses or addresses[0].get("ip") != address):
        status["podIPs"] = [{"ip": address}]
    elif addresses and not address:
        status["podIP"] = addresses[0].get("ip")


def _host_ports(container: Object) -> None:
    for port in container.get("ports") or ():
        if not port.get("hostPort") and "containerPort" in port:
            port["hostPort"] = port["containerPort"]


DEFAULTS: dict[tuple[str, str, str], Callable[[Object], None]] = {
    ("", "v1", "Pod"): default_pod,
    ("", "v1", "PodTemplate"): lambda obj: default_pod_template(obj.setdefault("template", {})),
}
