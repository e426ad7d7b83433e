"""Who may approve, sign and ask for certificates, and attest trust bundles.

A permission is a verb on resource `signers`, named by the signer or, for a whole domain, `DOMAIN/*`.
Source: plugin/pkg/admission/certificates.
"""

import base64
from typing import ClassVar

from kubepy.api.errors import forbidden, invalid_object
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, UPDATE, Plugin
from kubepy.apiserver.authn.user import PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Object
from kubepy.lib import pki

GROUP = "certificates.k8s.io"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
_REQUESTS = (GROUP, "certificatesigningrequests")


class _SignerPlugin(Plugin):
    """Asks whether the user has a verb on the signer."""

    verb: ClassVar[str]

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    async def may(self, user: UserInfo, signer: str) -> bool:
        """Whether `user` has the verb on this signer or its domain."""
        domain = signer.partition("/")[0]
        for name in (signer, f"{domain}/*"):
            info = RequestInfo(self.verb, "", True, GROUP, "*", "signers", "", "", name)
            if (await self._authorization.authorize(user, info)).allowed:
                return True
        return False


class CertificateApproval(_SignerPlugin):
    """Approving or denying takes `approve` on the signer."""

    name = "CertificateApproval"
    verb = "approve"
    operations = frozenset((UPDATE,))
    targets = frozenset((_REQUESTS,))
    subresources = frozenset(("approval",))

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        signer = attributes.old["spec"].get("signerName", "")
        if not await self.may(attributes.user, signer):
            raise forbid(attributes, f'user not permitted to approve requests with signerName "{signer}"')


class CertificateSigning(_SignerPlugin):
    """Issuing the certificate, or saying that it failed, takes `sign` on the signer."""

    name = "CertificateSigning"
    verb = "sign"
    operations = frozenset((UPDATE,))
    targets = frozenset((_REQUESTS,))
    subresources = frozenset(("status",))

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        old, new = attributes.old.get("status") or {}, attributes.new.get("status") or {}
        if all(old.get(part) == new.get(part) for part in ("certificate", "conditions")):
            return
        signer = attributes.old["spec"].get("signerName", "")
        if not await self.may(attributes.user, signer):
            raise forbid(attributes, f'user not permitted to sign requests with signerName "{signer}"')


class PodCertificateSigning(_SignerPlugin):
    """Issuing a pod's certificate, or saying anything else in its request's status, takes `sign` on the signer.

    No plug-in of upstream's, whose registry asks; so no flag turns it off.
    Source: pkg/registry/certificates/podcertificaterequest/strategy.go.
    """

    name = "PodCertificateSigning"
    verb = "sign"
    operations = frozenset((UPDATE,))
    targets = frozenset(((GROUP, "podcertificaterequests"),))
    subresources = frozenset(("status",))

    async def validate(self, attributes: Attributes) -> None:
        """Raises Invalid."""
        if (attributes.old.get("status") or {}) == (attributes.new.get("status") or {}):
            return
        signer, user = attributes.old["spec"].get("signerName", ""), attributes.user
        if not await self.may(user, signer):
            why = f'User "{user.name}" is not permitted to "sign" for signer "{signer}"'
            raise invalid_object(GROUP, "PodCertificateRequest", attributes.name, [forbidden("spec.signerName", why)])


class ClusterTrustBundleAttest(_SignerPlugin):
    """Publishing the trust anchors of a signer takes `attest` on it."""

    name = "ClusterTrustBundleAttest"
    verb = "attest"
    targets = frozenset(((GROUP, "clustertrustbundles"),))

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        signer = attributes.new.get("spec", {}).get("signerName", "")
        if attributes.old_object is not None and attributes.old_object.get("spec") == attributes.new.get("spec"):
            return
        if signer and not await self.may(attributes.user, signer):
            raise forbid(attributes, f'user not permitted to attest for signerName "{signer}"')


class CertificateSubjectRestriction(Plugin):
    """No client certificate that makes its holder all-powerful is asked for in this way."""

    name = "CertificateSubjectRestriction"
    operations = frozenset((CREATE,))
    targets = frozenset((_REQUESTS,))

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        if why := subject_fault(attributes.new["spec"]):
            raise forbid(attributes, why)


def subject_fault(spec: Object) -> str | None:
    """Why a request's subject is refused, or None."""
    if spec.get("signerName") != CLIENT_SIGNER:
        return None
    try:
        asked = pki.parse_request(decode(spec.get("request") or ""))
    except ValueError as error:
        return f"failed to parse CSR: {error}"
    if PRIVILEGED_GROUP in asked.organizations:
        return f"use of {CLIENT_SIGNER} signer with {PRIVILEGED_GROUP} group is not allowed"
    return None


def decode(text: str) -> bytes:
    """The bytes of a base64 field."""
    return base64.b64decode(text)
