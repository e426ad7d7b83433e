"""The built-in resources, one line each: what discovery lists, paths are made of and storage keys come from.

Source: the Kubernetes v1.37 API reference; served are the stable versions, as upstream does by default.
"""

from dataclasses import dataclass

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource; `kind` is what it takes and answers, of `group`/`version` where that is not the parent's."""

    name: str
    verbs: tuple[str, ...]
    kind: str
    group: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API serves it at one version.

    `stored_as` is the folder below /registry that its objects are kept in; `storage_version` the version
    that they are kept at where that is not this one (two rows may share one folder: events, autoscalers). `listed_as`
    is the kind of a list where that is called otherwise than lists usually are.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    stored_as: str = ""
    storage_group: str | None = None
    storage_version: str | None = None
    listed_as: str = ""

    @property
    def api_version(self) -> str:
        """`apps/v1`; `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        return self.listed_as or f"{self.kind}List"

    @property
    def qualified(self) -> str:
        """`deployments.apps`; `pods` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def subresource(self, name: str) -> Subresource | None:
        return next((sub for sub in self.subresources if sub.name == name), None)

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of an object in it, or of an object's subresource."""
        path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if namespace and self.namespaced:
            path += f"/namespaces/{namespace}"
        path += f"/{self.plural}"
        if name:
            path += f"/{name}"
            if subresource:
                path += f"/{subresource}"
        return path


def _sub(name: str, *verbs: str, of: str, group: str | None = None, version: str | None = None) -> Subresource:
    return Subresource(name, verbs, of, group, version)


def _status(kind: str) -> Subresource:
    return Subresource("status", ("get", "patch", "update"), kind)


_SCALE = Subresource("scale", ("get", "patch", "update"), "Scale", "autoscaling", "v1")
_PROXY_VERBS = ("create", "delete", "get", "patch", "update")
_STREAM_VERBS = ("create", "get")


def _row(
    group: str,
    kind: str,
    plural: str,
    short: str = "",
    *,
    version: str = "v1",
    namespaced: bool = True,
    categories: str = "",
    status: bool = False,
    subs: tuple[Subresource, ...] = (),
    verbs: tuple[str, ...] = ALL_VERBS,
    folder: str | None = None,
    storage: tuple[str, str] | None = None,
) -> Resource:
    return Resource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=namespaced,
        short_names=tuple(short.split()),
        categories=tuple(categories.split()),
        subresources=subs + ((_status(kind),) if status else ()),
        verbs=verbs,
        stored_as=plural if folder is None else folder,
        storage_group=storage[0] if storage else None,
        storage_version=storage[1] if storage else None,
    )


_POD_SUBRESOURCES = (
    _sub("attach", *_STREAM_VERBS, of="PodAttachOptions"),
    _sub("binding", "create", of="Binding"),
    _sub("ephemeralcontainers", "get", "patch", "update", of="Pod"),
    _sub("eviction", "create", of="Eviction", group="policy", version="v1"),
    _sub("exec", *_STREAM_VERBS, of="PodExecOptions"),
    _sub("log", "get", of="Pod"),
    _sub("portforward", *_STREAM_VERBS, of="PodPortForwardOptions"),
    _sub("proxy", *_PROXY_VERBS, of="PodProxyOptions"),
    _sub("resize", "get", "patch", "update", of="Pod"),
)
_TOKEN = _sub("token", "create", of="TokenRequest", group="authentication.k8s.io", version="v1")
_CREATE = ("create",)
_READ = ("get", "list")
_ADMISSION, _AUTHN, _AUTHZ = "admissionregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io"
_CERTS, _FLOW, _NET = "certificates.k8s.io", "flowcontrol.apiserver.k8s.io", "networking.k8s.io"
_RBAC, _DRA, _STORAGE = "rbac.authorization.k8s.io", "resource.k8s.io", "storage.k8s.io"

BUILT_IN: tuple[Resource, ...] = (
    _row("", "Binding", "bindings", verbs=_CREATE, folder=""),
    _row("", "ComponentStatus", "componentstatuses", "cs", namespaced=False, verbs=_READ, folder=""),
    _row("", "ConfigMap", "configmaps", "cm"),
    _row("", "Endpoints", "endpoints", "ep", folder="services/endpoints"),
    _row("", "Event", "events", "ev"),
    _row("", "LimitRange", "limitranges", "limits"),
    _row(
        "", "Namespace", "namespaces", "ns", namespaced=False, status=True,
        subs=(_sub("finalize", "update", of="Namespace"),),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    ),
    _row(
        "", "Node", "nodes", "no", namespaced=False, status=True, folder="minions",
        subs=(_sub("proxy", *_PROXY_VERBS, of="NodeProxyOptions"),),
    ),
    _row("", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", status=True),
    _row("", "PersistentVolume", "persistentvolumes", "pv", namespaced=False, status=True),
    _row("", "Pod", "pods", "po", categories="all", status=True, subs=_POD_SUBRESOURCES),
    _row("", "PodTemplate", "podtemplates"),
    _row(
        "", "ReplicationController", "replicationcontrollers", "rc", categories="all", status=True, subs=(_SCALE,),
        folder="controllers",
    ),
    _row("", "ResourceQuota", "resourcequotas", "quota", status=True),
    _row("", "Secret", "secrets"),
    _row("", "ServiceAccount", "serviceaccounts", "sa", subs=(_TOKEN,)),
    _row(
        "", "Service", "services", "svc", categories="all", status=True, folder="services/specs",
        subs=(_sub("proxy", *_PROXY_VERBS, of="ServiceProxyOptions"),),
    ),
    _row(_ADMISSION, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", namespaced=False,
         categories="api-extensions"),
    _row(_ADMISSION, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", namespaced=False,
         categories="api-extensions"),
    _row(_ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", namespaced=False,
         categories="api-extensions"),
    _row(_ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False, status=True,
         categories="api-extensions"),
    _row(_ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False,
         categories="api-extensions"),
    _row(_ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", namespaced=False,
         categories="api-extensions"),
    _row("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", "crd crds",
         namespaced=False, status=True, categories="api-extensions",
         folder="apiextensions.k8s.io/customresourcedefinitions"),
    _row("apiregistration.k8s.io", "APIService", "apiservices", namespaced=False, status=True,
         categories="api-extensions", folder="apiregistration.k8s.io/apiservices"),
    _row("apps", "ControllerRevision", "controllerrevisions"),
    _row("apps", "DaemonSet", "daemonsets", "ds", categories="all", status=True),
    _row("apps", "Deployment", "deployments", "deploy", categories="all", status=True, subs=(_SCALE,)),
    _row("apps", "ReplicaSet", "replicasets", "rs", categories="all", status=True, subs=(_SCALE,)),
    _row("apps", "StatefulSet", "statefulsets", "sts", categories="all", status=True, subs=(_SCALE,)),
    _row(_AUTHN, "SelfSubjectReview", "selfsubjectreviews", namespaced=False, verbs=_CREATE, folder=""),
    _row(_AUTHN, "TokenReview", "tokenreviews", namespaced=False, verbs=_CREATE, folder=""),
    _row(_AUTHZ, "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=_CREATE, folder=""),
    _row(_AUTHZ, "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False, verbs=_CREATE, folder=""),
    _row(_AUTHZ, "SelfSubjectRulesReview", "selfsubjectrulesreviews", namespaced=False, verbs=_CREATE, folder=""),
    _row(_AUTHZ, "SubjectAccessReview", "subjectaccessreviews", namespaced=False, verbs=_CREATE, folder=""),
    _row("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", version="v2",
         categories="all", status=True),
    _row("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", version="v1",
         categories="all", status=True, storage=("autoscaling", "v2")),
    _row("batch", "CronJob", "cronjobs", "cj", categories="all", status=True),
    _row("batch", "Job", "jobs", categories="all", status=True),
    _row(_CERTS, "CertificateSigningRequest", "certificatesigningrequests", "csr", namespaced=False, status=True,
         subs=(_sub("approval", "get", "patch", "update", of="CertificateSigningRequest"),)),
    _row(_CERTS, "ClusterTrustBundle", "clustertrustbundles", namespaced=False),
    _row(_CERTS, "PodCertificateRequest", "podcertificaterequests", status=True),
    _row("coordination.k8s.io", "Lease", "leases"),
    _row("discovery.k8s.io", "EndpointSlice", "endpointslices"),
    _row("events.k8s.io", "Event", "events", "ev", storage=("", "v1")),
    _row(_FLOW, "FlowSchema", "flowschemas", namespaced=False, status=True),
    _row(_FLOW, "PriorityLevelConfiguration", "prioritylevelconfigurations", namespaced=False, status=True),
    _row(_NET, "IPAddress", "ipaddresses", "ip", namespaced=False),
    _row(_NET, "IngressClass", "ingressclasses", namespaced=False),
    _row(_NET, "Ingress", "ingresses", "ing", status=True, folder="ingress"),
    _row(_NET, "NetworkPolicy", "networkpolicies", "netpol"),
    _row(_NET, "ServiceCIDR", "servicecidrs", namespaced=False, status=True),
    _row("node.k8s.io", "RuntimeClass", "runtimeclasses", namespaced=False),
    _row("policy", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", status=True),
    _row(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _row(_RBAC, "ClusterRole", "clusterroles", namespaced=False),
    _row(_RBAC, "RoleBinding", "rolebindings"),
    _row(_RBAC, "Role", "roles"),
    _row(_DRA, "DeviceClass", "deviceclasses", namespaced=False),
    _row(_DRA, "DeviceTaintRule", "devicetaintrules", namespaced=False, status=True),
    _row(_DRA, "ResourceClaim", "resourceclaims", status=True),
    _row(_DRA, "ResourceClaimTemplate", "resourceclaimtemplates"),
    _row(_DRA, "ResourceSlice", "resourceslices", namespaced=False),
    _row("scheduling.k8s.io", "PriorityClass", "priorityclasses", "pc", namespaced=False),
    _row(_STORAGE, "CSIDriver", "csidrivers", namespaced=False),
    _row(_STORAGE, "CSINode", "csinodes", namespaced=False),
    _row(_STORAGE, "CSIStorageCapacity", "csistoragecapacities"),
    _row(_STORAGE, "StorageClass", "storageclasses", "sc", namespaced=False),
    _row(_STORAGE, "VolumeAttachment", "volumeattachments", namespaced=False, status=True),
    _row(_STORAGE, "VolumeAttributesClass", "volumeattributesclasses", "vac", namespaced=False),
    _row("storagemigration.k8s.io", "StorageVersionMigration", "storageversionmigrations", namespaced=False,
         status=True),
)  # fmt: skip

_BY_PLURAL = {(row.group, row.version, row.plural): row for row in BUILT_IN}
_BY_KIND = {(row.api_version, row.kind): row for row in BUILT_IN}


def by_plural(group: str, version: str, plural: str) -> Resource | None:
    """The built-in resource at that place in the URL, or None."""
    return _BY_PLURAL.get((group, version, plural))


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The built-in resource of an object with this apiVersion and kind, or None."""
    return _BY_KIND.get((api_version, kind))


def named(plural: str, group: str = "") -> Resource:
    """A built-in resource at its preferred version, for code that knows that it is there. Raises KeyError."""
    for row in BUILT_IN:
        if row.plural == plural and row.group == group:
            return row
    raise KeyError(f"{plural}.{group}")
