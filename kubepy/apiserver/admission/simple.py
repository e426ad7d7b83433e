"""Plug-ins of a few lines: admit all, deny all, always pull, no external addresses.

Source: plugin/pkg/admission/{admit,deny,alwayspullimages}, plugin/pkg/admission/network/denyserviceexternalips.
"""

from kubepy.api.pod_references import containers_of
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, DELETE, PODS, UPDATE, Plugin


class AlwaysAdmit(Plugin):
    """Has nothing against anything."""

    name = "AlwaysAdmit"


class AlwaysDeny(Plugin):
    """Refuses every write."""

    name = "AlwaysDeny"
    operations = frozenset((CREATE, UPDATE, DELETE, "CONNECT"))
    subresources = None

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        raise forbid(attributes, "admission control is denying all modifications")


class AlwaysPullImages(Plugin):
    """Makes every container pull its image, so that only who may pull it may run it."""

    name = "AlwaysPullImages"
    targets = frozenset((PODS,))
    subresources = frozenset(("", "ephemeralcontainers"))

    async def admit(self, attributes: Attributes) -> None:
        """Sets the pull policy."""
        for container in containers_of(attributes.new["spec"]):
            container["imagePullPolicy"] = "Always"


class DenyServiceExternalIPs(Plugin):
    """Refuses new external addresses of Services."""

    name = "DenyServiceExternalIPs"
    targets = frozenset((("", "services"),))

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        before = (attributes.old_object or {}).get("spec") or {}
        wanted = set(attributes.new["spec"].get("externalIPs") or ())
        if wanted - set(before.get("externalIPs") or ()):
            raise forbid(attributes, "Use of external IPs is denied by admission control")
