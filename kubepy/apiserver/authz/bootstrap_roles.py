"""The roles and bindings that every cluster starts with, as data: upstream's bootstrap policy of v1.37.

A line of a role is `verbs | resources | API group | resource names`, or `verbs | /urls`. Lists are parted by spaces
and come out sorted, as upstream writes them.
Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go; the roles of controllers are in
`controller_roles.py`, what makes objects of both is `bootstrap.py`.
"""

from kubepy.apiserver.authz.policy_text import READ, READ_UPDATE, READ_WRITE, WRITE, parse_rules

EVENTS = "create patch update | events | core events.k8s.io"
ADMISSION, AUTHN, AUTHZ = "admissionregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io"
CERTS, COORDINATION, DISCOVERY = "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io"
NETWORKING, RBAC, DRA, STORAGE = "networking.k8s.io", "rbac.authorization.k8s.io", "resource.k8s.io", "storage.k8s.io"

_NODE = f"""
create | tokenreviews | {AUTHN}
create | subjectaccessreviews localsubjectaccessreviews | {AUTHZ}
{READ} | services
create {READ} | nodes
update patch | nodes/status
update patch | nodes
create update patch | events
{READ} | pods
create delete | pods
update patch | pods/status
create | pods/eviction
{READ} | secrets configmaps
get | persistentvolumeclaims persistentvolumes
get | endpoints
create {READ} | certificatesigningrequests | {CERTS}
get create update patch delete | leases | {COORDINATION}
get | volumeattachments | {STORAGE}
get update patch | persistentvolumeclaims/status
create | serviceaccounts/token
get | serviceaccounts
{READ} | csidrivers | {STORAGE}
get create update patch delete | csinodes | {STORAGE}
{READ} | runtimeclasses | node.k8s.io
get | resourceclaims | {DRA}
deletecollection {READ} create update patch delete | resourceslices | {DRA}
{READ} | clustertrustbundles | {CERTS}
create {READ} | podcertificaterequests | {CERTS}
"""
NODE_RULES = parse_rules(_NODE)

_EDIT = f"""
{READ} | pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy
impersonate | serviceaccounts
{WRITE} | pods pods/attach pods/proxy pods/exec pods/portforward
create | pods/eviction
{WRITE} | replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy \
persistentvolumeclaims configmaps secrets events
create | serviceaccounts/token
{WRITE} | statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets \
replicasets/scale | apps
{WRITE} | horizontalpodautoscalers | autoscaling
{WRITE} | jobs cronjobs | batch
{WRITE} | daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale \
replicationcontrollers/scale networkpolicies | extensions
{WRITE} | poddisruptionbudgets | policy
{WRITE} | networkpolicies ingresses | {NETWORKING}
{READ_WRITE} | leases | {COORDINATION}
{WRITE} | resourceclaims resourceclaimtemplates | {DRA}
"""

_VIEW = f"""
{READ} | pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints \
persistentvolumeclaims persistentvolumeclaims/status configmaps
{READ} | limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status \
replicationcontrollers/status pods/log
{READ} | namespaces
{READ} | endpointslices | {DISCOVERY}
{READ} | controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status \
deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale | apps
{READ} | horizontalpodautoscalers horizontalpodautoscalers/status | autoscaling
{READ} | jobs cronjobs cronjobs/status jobs/status | batch
{READ} | daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status \
replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies | extensions
{READ} | poddisruptionbudgets poddisruptionbudgets/status | policy
{READ} | networkpolicies ingresses ingresses/status | {NETWORKING}
{READ} | resourceclaims resourceclaimtemplates resourceclaims/status | {DRA}
"""

_CONTROLLER_MANAGER = f"""
{EVENTS}
create | leases | {COORDINATION}
get update | leases | {COORDINATION} | kube-controller-manager
create | secrets serviceaccounts
delete | secrets
get | namespaces secrets serviceaccounts configmaps
update | secrets serviceaccounts
create | tokenreviews | {AUTHN}
create | subjectaccessreviews | {AUTHZ}
list watch | * | *
create | serviceaccounts/token
"""

_SCHEDULER = f"""
{EVENTS}
create | leases | {COORDINATION}
get update list watch | leases | {COORDINATION} | kube-scheduler
create | leasecandidates | {COORDINATION}
{READ} update patch delete deletecollection | leasecandidates | {COORDINATION}
{READ} | nodes
{READ} delete | pods
create | pods/binding bindings
patch update | pods/status
{READ} | services replicationcontrollers
{READ} | replicasets | apps extensions
{READ} | statefulsets | apps
{READ} | poddisruptionbudgets | policy
{READ} | persistentvolumeclaims persistentvolumes
create | tokenreviews | {AUTHN}
create | subjectaccessreviews | {AUTHZ}
{READ} | csinodes | {STORAGE}
{READ} | namespaces
{READ} | csidrivers | {STORAGE}
{READ} | csistoragecapacities | {STORAGE}
{READ} | volumeattachments | {STORAGE}
{READ} | deviceclasses | {DRA}
{READ} update patch | resourceclaims | {DRA}
update patch | resourceclaims/status | {DRA}
update patch | resourceclaims/binding | {DRA}
update patch | pods/finalizers
{READ} | resourceslices | {DRA}
{READ} | devicetaintrules | {DRA}
"""

_DISCOVERY = "get | /livez /readyz /healthz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*"

CLUSTER_ROLES: dict[str, str] = {
    "cluster-admin": "* | * | *\n* | urls:*",
    "system:discovery": _DISCOVERY,
    "system:monitoring": "get | /metrics /metrics/slis /livez /livez/* /readyz /readyz/* /healthz /healthz/*",
    "system:basic-user": f"create | selfsubjectaccessreviews selfsubjectrulesreviews | {AUTHZ}\n"
    f"create | selfsubjectreviews | {AUTHN}",
    "system:public-info-viewer": "get | /livez /readyz /healthz /version /version/",
    "system:aggregate-to-admin": f"create | localsubjectaccessreviews | {AUTHZ}\n"
    f"{READ_WRITE} | roles rolebindings | {RBAC}",
    "system:aggregate-to-edit": _EDIT,
    "system:aggregate-to-view": _VIEW,
    "system:heapster": f"{READ} | events pods nodes namespaces\n{READ} | deployments | extensions",
    "system:node": _NODE,
    "system:node-problem-detector": f"get | nodes\npatch | nodes/status\n{EVENTS}",
    "system:kubelet-api-admin": f"{READ} | nodes\nproxy | nodes\n"
    "* | nodes/proxy nodes/metrics nodes/stats nodes/log nodes/healthz nodes/pods nodes/configz",
    "system:node-bootstrapper": f"create {READ} | certificatesigningrequests | {CERTS}",
    "system:auth-delegator": f"create | tokenreviews | {AUTHN}\ncreate | subjectaccessreviews | {AUTHZ}",
    "system:kube-aggregator": f"{READ} | services endpoints",
    "system:kube-controller-manager": _CONTROLLER_MANAGER,
    "system:kube-dns": "list watch | endpoints services\nlist watch | endpointslices | discovery.k8s.io",
    "system:persistent-volume-provisioner": f"{READ} create delete patch | persistentvolumes\n"
    f"{READ} update | persistentvolumeclaims\n{READ} | storageclasses | {STORAGE}\nwatch | events\n{EVENTS}",
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        f"create | certificatesigningrequests/nodeclient | {CERTS}"
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        f"create | certificatesigningrequests/selfnodeclient | {CERTS}"
    ),
    "system:volume-scheduler": f"{READ_UPDATE} | persistentvolumes\n{READ} | storageclasses | {STORAGE}\n"
    f"{READ_UPDATE} | persistentvolumeclaims",
    **{
        f"system:certificates.k8s.io:{signer}-approver": f"approve | signers | {CERTS} | kubernetes.io/{signer}"
        for signer in ("legacy-unknown", "kubelet-serving", "kube-apiserver-client", "kube-apiserver-client-kubelet")
    },
    "system:service-account-issuer-discovery": "get | /.well-known/openid-configuration /openid/v1/jwks",
    "system:cluster-trust-bundle-discovery": f"{READ} | clustertrustbundles | {CERTS}",
    "system:node-proxier": f"list watch | services endpoints\n{READ} | nodes\n{EVENTS}\n"
    f"list watch | endpointslices | {DISCOVERY}\nlist watch | servicecidrs | {NETWORKING}",
    "system:kube-scheduler": _SCHEDULER,
}
"""Rules by ClusterRole, but for the three that only aggregate."""

AGGREGATED: tuple[str, ...] = ("admin", "edit", "view")
"""ClusterRoles whose rules are those of the ones labelled `rbac.authorization.k8s.io/aggregate-to-NAME`."""

AGGREGATE_TO: dict[str, str] = {
    "edit": "admin",
    "view": "edit",
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
}

CLUSTER_ROLE_BINDINGS: dict[str, str] = {
    "cluster-admin": "Group system:masters",
    "system:monitoring": "Group system:monitoring",
    "system:discovery": "Group system:authenticated",
    "system:basic-user": "Group system:authenticated",
    "system:public-info-viewer": "Group system:authenticated, Group system:unauthenticated",
    "system:node-proxier": "User system:kube-proxy",
    "system:kube-controller-manager": "User system:kube-controller-manager",
    "system:kube-dns": "ServiceAccount kube-system/kube-dns",
    "system:kube-scheduler": "User system:kube-scheduler",
    "system:volume-scheduler": "User system:kube-scheduler",
    "system:node": "",
    "system:service-account-issuer-discovery": "Group system:serviceaccounts",
    "system:cluster-trust-bundle-discovery": "Group system:serviceaccounts",
}
"""Subjects by ClusterRole, whose name the binding shares. Kubelets get theirs from the Node authorizer."""

ROLES: dict[tuple[str, str], str] = {
    ("kube-system", "extension-apiserver-authentication-reader"): (
        f"{READ} | configmaps | core | extension-apiserver-authentication"
    ),
    ("kube-system", "system:controller:bootstrap-signer"): f"{READ} | secrets",
    ("kube-system", "system:controller:cloud-provider"): f"create {READ} | configmaps",
    ("kube-system", "system:controller:token-cleaner"): f"{READ} delete | secrets\n{EVENTS}",
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "watch | configmaps\nget update | configmaps | core | kube-controller-manager"
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "watch | configmaps\nget update | configmaps | core | kube-scheduler"
    ),
    ("kube-public", "system:controller:bootstrap-signer"): (
        f"{READ} | configmaps\nupdate | configmaps | core | cluster-info\n{EVENTS}"
    ),
}

_SIGNER = "ServiceAccount kube-system/bootstrap-signer"
ROLE_BINDINGS: dict[tuple[str, str], tuple[str, str]] = {
    ("kube-system", "system::extension-apiserver-authentication-reader"): (
        "extension-apiserver-authentication-reader",
        "User system:kube-controller-manager, User system:kube-scheduler",
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "system::leader-locking-kube-controller-manager",
        "User system:kube-controller-manager, ServiceAccount kube-system/kube-controller-manager",
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "system::leader-locking-kube-scheduler",
        "User system:kube-scheduler, ServiceAccount kube-system/kube-scheduler",
    ),
    ("kube-system", "system:controller:bootstrap-signer"): ("system:controller:bootstrap-signer", _SIGNER),
    ("kube-system", "system:controller:cloud-provider"): (
        "system:controller:cloud-provider",
        "ServiceAccount kube-system/cloud-provider",
    ),
    ("kube-system", "system:controller:token-cleaner"): (
        "system:controller:token-cleaner",
        "ServiceAccount kube-system/token-cleaner",
    ),
    ("kube-public", "system:controller:bootstrap-signer"): ("system:controller:bootstrap-signer", _SIGNER),
}
"""(role, subjects) by namespace and binding."""
