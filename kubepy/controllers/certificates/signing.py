"""Signs approved requests with the cluster's CA, for upstream's built-in signers.

Each signer says which subjects and usages it signs; what it does not is failed, with the reason in the status.
Source: pkg/controller/certificates/signer/signer.go and the "Certificate Signing Requests" reference page.
"""

import base64
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path

from kubepy.api import resources
from kubepy.api.meta import Object, condition_of, key_of
from kubepy.controllers.certificates.approving import KUBELET_CLIENT, is_node_client
from kubepy.controllers.controller import Context, Controller
from kubepy.lib import log, pki
from kubepy.lib.clock import rfc3339

_log = log.get(__name__)
_CSRS = resources.named("certificatesigningrequests", "certificates.k8s.io")
_LEAST_S = 600
_SERVING_USAGES = (
    {"key encipherment", "digital signature", "server auth"},
    {"digital signature", "server auth"},
)
_CLIENT_ALLOWED = {"digital signature", "key encipherment", "client auth"}


def _is_client(request: pki.SigningRequest, usages: Collection[str]) -> str:
    if "client auth" not in usages or not set(usages) <= _CLIENT_ALLOWED:
        return "usages must be client auth, and may be digital signature and key encipherment"
    return ""


def _is_kubelet_client(request: pki.SigningRequest, usages: Collection[str]) -> str:
    return "" if is_node_client(request, usages) else "the request is not that of a kubelet's client certificate"


def _is_kubelet_serving(request: pki.SigningRequest, usages: Collection[str]) -> str:
    if request.organizations != ("system:nodes",) or not request.common_name.startswith("system:node:"):
        return "the subject must be a node's"
    if not request.dns and not request.ips:
        return "DNS or IP subjectAltName is required"
    if request.emails or request.uris:
        return "subjectAltNames must be DNS names or IP addresses"
    if set(usages) not in _SERVING_USAGES:
        return "usages must be those of a server"
    return ""


SIGNERS: Mapping[str, Callable[[pki.SigningRequest, Collection[str]], str]] = {
    "kubernetes.io/kube-apiserver-client": _is_client,
    KUBELET_CLIENT: _is_kubelet_client,
    "kubernetes.io/kubelet-serving": _is_kubelet_serving,
    "kubernetes.io/legacy-unknown": lambda request, usages: "",
}
"""Each signer's rule: what is wrong with a request, or nothing."""


class CsrSigningController(Controller):
    """Works approved requests; the CA is what `--cluster-signing-cert-file` and `-key-file` name."""

    name = "certificatesigningrequest-signing"
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        settings = context.settings
        self._ca = pki.load_identity(
            Path(str(settings["cluster-signing-cert-file"])).read_bytes(),
            Path(str(settings["cluster-signing-key-file"])).read_bytes(),
        )
        self._longest_s = float(str(settings.get("cluster-signing-duration", 365 * 86400)))
        self._requests = self.watch(_CSRS)
        self.enqueue_from(self._requests, lambda obj: [key_of(obj)])

    async def sync(self, key: str) -> None:
        csr = self._requests.get(key)
        if csr is None or not condition_of(csr, "Approved") or condition_of(csr, "Denied"):
            return
        status, spec = csr.get("status") or {}, csr["spec"]
        rule = SIGNERS.get(spec["signerName"])
        if rule is None or status.get("certificate") or condition_of(csr, "Failed"):
            return
        pem = base64.b64decode(spec["request"])
        usages = spec.get("usages") or []
        try:
            if fault := rule(pki.parse_request(pem), usages):
                await self._fail(csr, fault)
                return
            lifetime = timedelta(seconds=self._lifetime_s(spec))
            certificate = pki.sign_request(self._ca, pem, usages=usages, lifetime=lifetime)
        except pki.PkiError as error:
            await self._fail(csr, str(error))
            return
        signed = {**status, "certificate": base64.b64encode(certificate).decode()}
        await self.client.update(_CSRS, {**csr, "status": signed}, subresource="status")
        _log.info("request signed", csr=key, signer=spec["signerName"])

    def _lifetime_s(self, spec: Object) -> float:
        asked = spec.get("expirationSeconds")
        return self._longest_s if asked is None else max(_LEAST_S, min(float(asked), self._longest_s))

    async def _fail(self, csr: Object, why: str) -> None:
        now = rfc3339(self.context.clock.now())
        condition = {
            "type": "Failed",
            "status": "True",
            "reason": "SignerValidationFailure",
            "message": why,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
        status = csr.get("status") or {}
        body = {**csr, "status": {**status, "conditions": [*status.get("conditions", []), condition]}}
        await self.client.update(_CSRS, body, subresource="status")
