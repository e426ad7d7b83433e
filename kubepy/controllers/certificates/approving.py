"""Approves a kubelet's request for a client certificate of its own.

Only what a kubelet may ask for is approved: subject `system:node:NAME` of `system:nodes`, the usages of a client,
no further names; and only when the requester may, by the authorizer, create such requests.
Source: pkg/controller/certificates/approver/sarapprove.go.
"""

import base64
from collections.abc import Collection

from kubepy.api import resources
from kubepy.api.meta import Object, condition_of, key_of
from kubepy.controllers.controller import Context, Controller
from kubepy.lib import log, pki
from kubepy.lib.clock import rfc3339

_log = log.get(__name__)
_CSRS = resources.named("certificatesigningrequests", "certificates.k8s.io")
_REVIEWS = resources.named("subjectaccessreviews", "authorization.k8s.io")
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
_USAGES = ({"key encipherment", "digital signature", "client auth"}, {"digital signature", "client auth"})
_PREFIX = "system:node:"


def is_node_client(request: pki.SigningRequest, usages: Collection[str]) -> bool:
    """The request is for nothing but a kubelet's client certificate."""
    return (
        request.organizations == ("system:nodes",)
        and request.common_name.startswith(_PREFIX)
        and not (request.dns or request.ips or request.emails or request.uris)
        and set(usages) in _USAGES
    )


class CsrApprovingController(Controller):
    """Works signing requests that nobody has judged yet."""

    name = "certificatesigningrequest-approving"
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._requests = self.watch(_CSRS)
        self.enqueue_from(self._requests, lambda obj: [key_of(obj)])

    async def sync(self, key: str) -> None:
        csr = self._requests.get(key)
        if csr is None or condition_of(csr, "Approved") or condition_of(csr, "Denied"):
            return
        spec = csr["spec"]
        if (csr.get("status") or {}).get("certificate") or spec["signerName"] != KUBELET_CLIENT:
            return
        try:
            request = pki.parse_request(base64.b64decode(spec["request"]))
        except pki.PkiError:
            return
        if not is_node_client(request, spec.get("usages") or []):
            return
        for subresource, why in (
            ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."),
            ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."),
        ):
            if subresource == "selfnodeclient" and spec.get("username") != request.common_name:
                continue
            if await self._may(spec, subresource):
                await self._approve(csr, why)
                return
        _log.debug("request not approved", csr=key, user=spec.get("username"))

    async def _may(self, spec: Object, subresource: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": spec.get("username", ""),
                "uid": spec.get("uid", ""),
                "groups": spec.get("groups") or [],
                "extra": spec.get("extra") or {},
                "resourceAttributes": {
                    "group": "certificates.k8s.io",
                    "resource": "certificatesigningrequests",
                    "verb": "create",
                    "subresource": subresource,
                    "version": "*",
                },
            },
        }
        answer = await self.client.create(_REVIEWS, review)
        return bool(answer["status"].get("allowed"))

    async def _approve(self, csr: Object, why: str) -> None:
        now = rfc3339(self.context.clock.now())
        condition = {
            "type": "Approved",
            "status": "True",
            "reason": "AutoApproved",
            "message": why,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
        status = csr.get("status") or {}
        body = {**csr, "status": {**status, "conditions": [*status.get("conditions", []), condition]}}
        await self.client.update(_CSRS, body, subresource="approval")
        _log.info("request approved", csr=csr["metadata"]["name"], user=csr["spec"].get("username"))
