"""The credentials that a kubelet may ask for: tokens and certificates of the pods on its node, and its own certificate.

Source: plugin/pkg/admission/noderestriction (admitServiceAccount, admitPodCertificateRequest, admitCSR).
"""

from collections.abc import Iterator

from kubepy.api import resources
from kubepy.api.errors import InternalError, NotFound
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.certificates import decode
from kubepy.apiserver.admission.plugin import CREATE
from kubepy.apiserver.admission.service_account import MIRROR
from kubepy.apiserver.authn.user import NODE_PREFIX
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Lookup, Object, find
from kubepy.lib import pki

_PODS, _NODES = resources.named("pods"), resources.named("nodes")
_ACCOUNTS = resources.named("serviceaccounts")
_CLAIMS, _VOLUMES = resources.named("persistentvolumeclaims"), resources.named("persistentvolumes")
_DRIVERS = resources.named("csidrivers", "storage.k8s.io")
_SIGNERS = frozenset(("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"))
AUDIENCE_VERB = "request-serviceaccounts-token-audience"


class NodeCredentials:
    """Why the node may not have what it asks for, or None."""

    def __init__(self, lookup: Lookup, authorization: Authorization | None) -> None:
        self._lookup, self._authorization = lookup, authorization

    async def token(self, node: str, attributes: Attributes) -> str | None:
        """Tokens are bound to a pod on the node, and for an audience that the pod names."""
        if attributes.subresource != "token" or attributes.operation != CREATE:
            return None
        spec = attributes.new.get("spec") or {}
        ref = spec.get("boundObjectRef") or {}
        if ref.get("kind") != "Pod" or ref.get("apiVersion") != "v1" or not ref.get("name"):
            return "node requested token not bound to a pod"
        if not ref.get("uid"):
            return "node requested token with a pod binding without a uid"
        pod = await self.find(_PODS, ref["name"], attributes.namespace)
        if pod["metadata"].get("uid") != ref["uid"]:
            return (
                f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
        if pod["spec"].get("nodeName") != node:
            return "node requested token bound to a pod scheduled on a different node"
        audiences = spec.get("audiences") or []
        if len(audiences) > 1:
            return "node may only request 0 or 1 audiences"
        return await self._audience_fault(attributes, pod, audiences[0] if audiences else "")

    async def _audience_fault(self, attributes: Attributes, pod: Object, audience: str) -> str | None:
        if audience in audiences_of(pod, self._lookup):
            return None
        user = attributes.user
        if self._authorization is not None:
            where = attributes.namespace
            info = RequestInfo(AUDIENCE_VERB, "", True, "", "v1", audience, "", where, attributes.name)
            if (await self._authorization.authorize(user, info)).allowed:
                return None
        return (
            f'audience "{audience}" not found in pod spec volume, {user.name} is not authorized to request tokens '
            "for this audience"
        )

    async def pod_certificate(self, node: str, attributes: Attributes) -> str | None:
        """Certificates are for a pod that runs on the node, told by the uids of all that is named."""
        if attributes.operation != CREATE:
            return f"unexpected operation {attributes.operation}"
        if attributes.subresource:
            return f"unexpected subresource {attributes.subresource}"
        spec = attributes.new["spec"]
        if spec.get("nodeName") != node:
            named = spec.get("nodeName") or ""
            return f'PodCertificateRequest.Spec.NodeName="{named}", which is not the requesting node "{node}"'
        await self._same_node(node, attributes)
        return await self._certified_pod_fault(node, attributes)

    async def _same_node(self, node: str, attributes: Attributes) -> None:
        found = await self._named(_NODES, node, None, f'node "{node}"')
        uid, named = found["metadata"].get("uid"), attributes.new["spec"].get("nodeUID") or ""
        if uid != named:
            raise InternalError(
                f'PodCertificateRequest for pod {_shown(attributes)} names node UID "{named}", '
                f'inconsistent with the running node ("{uid}")'
            )

    async def _certified_pod_fault(self, node: str, attributes: Attributes) -> str | None:
        spec, shown = attributes.new["spec"], _shown(attributes)
        pod = await self._named(_PODS, spec.get("podName") or "", attributes.namespace, f"pod {shown}")
        uid = pod["metadata"].get("uid")
        if uid != spec.get("podUID"):
            raise InternalError(
                f'PodCertificateRequest for pod {shown} contains pod UID ("{spec.get("podUID")}") which differs from '
                f'running pod "{uid}"'
            )
        if pod["spec"].get("nodeName") != node:
            return f'pod {shown} is not running on node "{node}" named in the PodCertificateRequest'
        if MIRROR in (pod["metadata"].get("annotations") or {}):
            return f"pod {shown} is a mirror pod"
        account, own = spec.get("serviceAccountName") or "", pod["spec"].get("serviceAccountName") or ""
        if account != own:
            return (
                f'PodCertificateRequest for pod {shown} contains serviceAccountName ("{account}") that differs from '
                f'running pod ("{own}")'
            )
        what = f'service account "{attributes.namespace}/{account}"'
        found = await self._named(_ACCOUNTS, account, attributes.namespace, what)
        if (uid := found["metadata"].get("uid")) != spec.get("serviceAccountUID"):
            raise InternalError(
                f'PodCertificateRequest for pod {shown} names service account UID "{spec.get("serviceAccountUID")}", '
                f'which differs from the running service account ("{uid}")'
            )
        return None

    async def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """The object, as new as the store is where the caches have none. Raises NotFound."""
        return await find(self._lookup, resource, name, namespace)

    async def _named(self, resource: Resource, name: str, namespace: str | None, what: str) -> Object:
        try:
            return await self.find(resource, name, namespace)
        except NotFound as fault:
            why = f"while retrieving {what} named in the PodCertificateRequest: {fault.message}"
            raise NotFound(why, details=fault.details) from fault


def _shown(attributes: Attributes) -> str:
    return f'"{attributes.namespace}/{attributes.new["spec"].get("podName") or ""}"'


def signing_request_fault(node: str, attributes: Attributes) -> str | None:
    """Why the node may not ask for this certificate, or None: of those for kubelets, it gets its own."""
    spec = attributes.new["spec"] if attributes.operation == CREATE else {}
    if spec.get("signerName") not in _SIGNERS:
        return None
    try:
        asked = pki.parse_request(decode(spec.get("request") or ""))
    except ValueError as fault:
        return f"unable to parse csr: {fault}"
    own = f"{NODE_PREFIX}{node}"
    return None if asked.common_name == own else f"can only create a node CSR with CN={own}"


def audiences_of(pod: Object, lookup: Lookup) -> set[str]:
    """Whom the tokens are for that the pod's volumes bring; empty text: the API server."""
    found = set()
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if (token := source.get("serviceAccountToken")) is not None:
                found.add(token.get("audience") or "")
        for driver in _drivers(pod, volume, lookup):
            known = lookup.get(_DRIVERS, driver) or {}
            for request in (known.get("spec") or {}).get("tokenRequests") or ():
                found.add(request.get("audience") or "")
    return found


def _drivers(pod: Object, volume: Object, lookup: Lookup) -> Iterator[str]:
    """The CSI driver of a volume: its own, or that of the PersistentVolume that its claim is bound to."""
    metadata = pod["metadata"]
    if driver := (volume.get("csi") or {}).get("driver"):
        yield driver
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if "ephemeral" in volume:
        claim = f"{metadata['name']}-{volume['name']}"
    bound = lookup.get(_CLAIMS, claim, metadata["namespace"]) if claim else None
    name = (bound or {"spec": {}})["spec"].get("volumeName")
    if name and (found := lookup.get(_VOLUMES, name)) and (driver := (found["spec"].get("csi") or {}).get("driver")):
        yield driver
