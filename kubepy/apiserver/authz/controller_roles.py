"""The roles of the controllers: each runs as a service account of kube-system with no more than it needs.

The shorthand is that of `policy_text.py`; the role of controller X is `system:controller:X`, bound to the service
account kube-system/X.
Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go.
"""

from kubepy.apiserver.authz.bootstrap_roles import (
    ADMISSION,
    AUTHZ,
    CERTS,
    COORDINATION,
    DISCOVERY,
    DRA,
    EVENTS,
    NETWORKING,
    RBAC,
    STORAGE,
)
from kubepy.apiserver.authz.policy_text import READ

_WORKLOAD = "apps extensions"
_SIGNERS = (
    "kubernetes.io/legacy-unknown kubernetes.io/kube-apiserver-client "
    "kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving"
)

CONTROLLER_ROLES: dict[str, str] = {
    "attachdetach-controller": f"""
list watch | persistentvolumes persistentvolumeclaims
{READ} | nodes
patch update | nodes/status
list watch | pods
{EVENTS}
get create delete list watch | volumeattachments | {STORAGE}
{READ} | csidrivers | {STORAGE}
{READ} | csinodes | {STORAGE}
""",
    "clusterrole-aggregation-controller": f"escalate {READ} update patch | clusterroles | {RBAC}",
    "cronjob-controller": f"""
{READ} update | cronjobs | batch
{READ} create update delete patch | jobs | batch
update | cronjobs/status | batch
update | cronjobs/finalizers | batch
list watch delete | pods
{EVENTS}
""",
    "daemon-set-controller": f"""
{READ} | daemonsets | {_WORKLOAD}
update | daemonsets/status | {_WORKLOAD}
update | daemonsets/finalizers | {_WORKLOAD}
list watch | nodes
list watch create delete patch | pods
create | pods/binding
{READ} create delete update patch | controllerrevisions | apps
{EVENTS}
""",
    "deployment-controller": f"""
{READ} update | deployments | {_WORKLOAD}
update | deployments/status | {_WORKLOAD}
update | deployments/finalizers | {_WORKLOAD}
{READ} create update patch delete | replicasets | {_WORKLOAD}
{READ} update | pods
{EVENTS}
""",
    "disruption-controller": f"""
{READ} | deployments | {_WORKLOAD}
{READ} | replicasets | {_WORKLOAD}
{READ} | replicationcontrollers
{READ} | poddisruptionbudgets | policy
{READ} | statefulsets | apps
update | poddisruptionbudgets/status | policy
patch update | pods/status
get | */scale | *
{EVENTS}
""",
    "endpoint-controller": f"""
{READ} | services pods
{READ} create update delete | endpoints
create | endpoints/restricted
{EVENTS}
""",
    "endpointslice-controller": f"""
{READ} | services pods nodes
update | services/finalizers
{READ} create update delete | endpointslices | {DISCOVERY}
{EVENTS}
""",
    "endpointslicemirroring-controller": f"""
{READ} | services endpoints
update | services/finalizers
update | endpoints/finalizers
{READ} create update delete | endpointslices | {DISCOVERY}
{EVENTS}
""",
    "expand-controller": f"""
{READ} update patch | persistentvolumes
update patch | persistentvolumeclaims/status
{READ} | persistentvolumeclaims
{EVENTS}
get | services
""",
    "ephemeral-volume-controller": f"""
{READ} | pods
update | pods/finalizers
{READ} create | persistentvolumeclaims
{EVENTS}
""",
    "resource-claim-controller": f"""
{READ} | pods
update | pods/finalizers
{READ} create delete | resourceclaims | {DRA}
update patch | resourceclaims resourceclaims/status | {DRA}
update patch | resourceclaims/binding | {DRA}
update patch | pods/status
{EVENTS}
""",
    "device-taint-eviction-controller": f"""
{READ} delete | pods
update patch | pods/status
{READ} | resourceclaims | {DRA}
{READ} | resourceslices | {DRA}
{READ} | deviceclasses | {DRA}
{READ} | devicetaintrules | {DRA}
{EVENTS}
""",
    "generic-garbage-collector": f"{READ} patch update delete | * | *\n{EVENTS}",
    "horizontal-pod-autoscaler": f"""
{READ} | horizontalpodautoscalers | autoscaling
update | horizontalpodautoscalers/status | autoscaling
get update | */scale | *
list watch | pods
list watch | pods | metrics.k8s.io
{READ} | * | custom.metrics.k8s.io
{READ} | * | external.metrics.k8s.io
{EVENTS}
""",
    "job-controller": f"""
{READ} update patch | jobs | batch
update | jobs/status | batch
update | jobs/finalizers | batch
list watch create delete patch | pods
{EVENTS}
""",
    "namespace-controller": f"""
{READ} delete | namespaces
update | namespaces/finalize namespaces/status
{READ} delete deletecollection | * | *
""",
    "node-controller": f"""
{READ} update delete patch | nodes
patch update | nodes/status
patch update | pods/status
{READ} delete | pods
{EVENTS}
""",
    "persistent-volume-binder": f"""
{READ} update create delete | persistentvolumes
update | persistentvolumes/status
{READ} update | persistentvolumeclaims
update | persistentvolumeclaims/status
{READ} create delete | pods
{READ} | storageclasses | {STORAGE}
list watch | nodes
{EVENTS}
watch | events
get | services
""",
    "pod-garbage-collector": f"""
list watch delete | pods
{READ} | nodes
patch | pods/status
""",
    "replicaset-controller": f"""
{READ} update | replicasets | {_WORKLOAD}
update | replicasets/status | {_WORKLOAD}
update | replicasets/finalizers | {_WORKLOAD}
list watch patch create delete | pods
{EVENTS}
""",
    "replication-controller": f"""
{READ} update | replicationcontrollers
update | replicationcontrollers/status
update | replicationcontrollers/finalizers
list watch patch create delete | pods
{EVENTS}
""",
    "resourcequota-controller": f"""
list watch | * | *
update | resourcequotas/status
{EVENTS}
""",
    "route-controller": f"""
list watch | nodes
patch | nodes/status
{EVENTS}
""",
    "service-account-controller": f"create | serviceaccounts\n{EVENTS}",
    "service-controller": f"""
{READ} | services
patch update | services/status
list watch | nodes
{EVENTS}
""",
    "service-cidrs-controller": f"""
{READ} patch update | servicecidrs | {NETWORKING}
patch update | servicecidrs/finalizers | {NETWORKING}
patch update | servicecidrs/status | {NETWORKING}
{READ} | ipaddresses | {NETWORKING}
{EVENTS}
""",
    "statefulset-controller": f"""
list watch | pods
{READ} | statefulsets | apps
update | statefulsets/status | apps
update | statefulsets/finalizers | apps
get create delete update patch | pods
{READ} create delete update patch | controllerrevisions | apps
{READ} create | persistentvolumeclaims
update delete | persistentvolumeclaims
update | pods/finalizers
{EVENTS}
""",
    "ttl-controller": f"update patch list watch | nodes\n{EVENTS}",
    "certificate-controller": f"""
{READ} delete | certificatesigningrequests | {CERTS}
update | certificatesigningrequests/status certificatesigningrequests/approval | {CERTS}
approve | signers | {CERTS} | kubernetes.io/kube-apiserver-client-kubelet
sign | signers | {CERTS} | {_SIGNERS}
create | subjectaccessreviews | {AUTHZ}
{EVENTS}
""",
    "podcertificaterequestcleaner": f"{READ} delete | podcertificaterequests | {CERTS}",
    "pvc-protection-controller": f"""
{READ} update | persistentvolumeclaims
update | persistentvolumeclaims/status
{READ} | pods
{EVENTS}
""",
    "pv-protection-controller": f"{READ} update | persistentvolumes\n{EVENTS}",
    "volumeattributesclass-protection-controller": f"""
{READ} | persistentvolumeclaims
{READ} | persistentvolumes
{READ} update | volumeattributesclasses | {STORAGE}
{EVENTS}
""",
    "ttl-after-finished-controller": f"{READ} delete | jobs | batch\n{EVENTS}",
    "root-ca-cert-publisher": f"create update | configmaps\n{EVENTS}",
    "kube-apiserver-serving-clustertrustbundle-publisher": f"""
attest | signers | {CERTS} | kubernetes.io/kube-apiserver-serving
create update delete list watch | clustertrustbundles | {CERTS}
{EVENTS}
""",
    "validatingadmissionpolicy-status-controller": f"""
{READ} | validatingadmissionpolicies | {ADMISSION}
get patch update | validatingadmissionpolicies/status | {ADMISSION}
{EVENTS}
""",
    "legacy-service-account-token-cleaner": """
get | configmaps | core | kube-apiserver-legacy-service-account-token-tracking
patch delete | secrets
""",
    "storage-version-migrator-controller": """
list watch create patch | * | *
update | storageversionmigrations/status | storagemigration.k8s.io
""",
    "selinux-warning-controller": f"""
{EVENTS}
{READ} | persistentvolumes
{READ} | persistentvolumeclaims
{READ} | pods
{READ} | csidrivers | {STORAGE}
""",
    "storage-version-garbage-collector": f"""
{READ} | leases | {COORDINATION}
{READ} patch update delete | storageversions | internal.apiserver.k8s.io
get patch update | storageversions/status | internal.apiserver.k8s.io
""",
}
