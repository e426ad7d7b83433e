"""Which admission plug-ins there are, in upstream's order, which are on by default, and how each is made.

Source: pkg/kubeapiserver/options/plugins.go.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kubepy.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
    PodCertificateSigning,
)
from kubepy.apiserver.admission.claim_status import ClaimStatusAuthorization
from kubepy.apiserver.admission.configuration import Configuration
from kubepy.apiserver.admission.default_classes import DefaultIngressClass, DefaultStorageClass
from kubepy.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from kubepy.apiserver.admission.event_rate_limit import EventRateLimit
from kubepy.apiserver.admission.image_policy import ImagePolicy, ImagePolicyWebhook
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.limit_ranger import LimitRanger
from kubepy.apiserver.admission.metrics import AdmissionMetrics
from kubepy.apiserver.admission.namespace_existence import NamespaceAutoProvision, NamespaceExists, NamespaceMaker
from kubepy.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from kubepy.apiserver.admission.node_restriction import NodeRestriction
from kubepy.apiserver.admission.owner_references import OwnerReferencesPermissionEnforcement
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.apiserver.admission.pod_node_selector import PodNodeSelector
from kubepy.apiserver.admission.pod_placement import (
    ExtendedResourceToleration,
    LimitPodHardAntiAffinityTopology,
    PodTopologyLabels,
)
from kubepy.apiserver.admission.pod_security.metrics import PodSecurityMetrics
from kubepy.apiserver.admission.pod_security.plugin import PodSecurity
from kubepy.apiserver.admission.pod_toleration_restriction import PodTolerationRestriction
from kubepy.apiserver.admission.policies.authorizing import PolicyAuthorization
from kubepy.apiserver.admission.policies.mutating import MutatingAdmissionPolicy
from kubepy.apiserver.admission.policies.validating import ValidatingAdmissionPolicy
from kubepy.apiserver.admission.priority import Priority
from kubepy.apiserver.admission.rbac_escalation import RbacEscalation
from kubepy.apiserver.admission.resource_quota import QuotaWriter, ResourceQuota
from kubepy.apiserver.admission.runtime_class import RuntimeClass
from kubepy.apiserver.admission.service_account import ServiceAccount
from kubepy.apiserver.admission.simple import (
    AlwaysAdmit,
    AlwaysDeny,
    AlwaysPullImages,
    DenyServiceExternalIPs,
)
from kubepy.apiserver.admission.storage_protection import PersistentVolumeClaimResize, StorageObjectInUseProtection
from kubepy.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from kubepy.apiserver.admission.webhooks.asking import Asker
from kubepy.apiserver.admission.webhooks.mutating import MutatingAdmissionWebhook
from kubepy.apiserver.admission.webhooks.validating import ValidatingAdmissionWebhook
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.client import Webhooks


class Writer(QuotaWriter, NamespaceMaker, Protocol):
    """What plug-ins write with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What plug-ins are made with."""

    lookup: Lookup
    authorization: Authorization
    writer: Writer
    webhooks: Webhooks
    kinds: Kinds
    metrics: AdmissionMetrics
    pod_security_metrics: PodSecurityMetrics = field(default_factory=PodSecurityMetrics)
    not_ready_s: int = 300
    unreachable_s: int = 300
    granular_claim_status: bool = True
    configuration: Configuration = field(default_factory=Configuration)

    @property
    def image_policy(self) -> ImagePolicy:
        """What --admission-control-config-file says of it, which the flags' check has seen to."""
        assert self.configuration.image_policy is not None
        return self.configuration.image_policy

    def asker(self) -> Asker:
        """What asks webhooks."""
        return Asker(self.webhooks, self.lookup, self.kinds, self.authorization, self.metrics)


Maker = Callable[[Tools], Plugin]

MAKERS: dict[str, Maker] = {
    "AlwaysAdmit": lambda tools: AlwaysAdmit(),
    "NamespaceAutoProvision": lambda tools: NamespaceAutoProvision(tools.lookup, tools.writer),
    "NamespaceLifecycle": lambda tools: NamespaceLifecycle(tools.lookup),
    "NamespaceExists": lambda tools: NamespaceExists(tools.lookup),
    "LimitPodHardAntiAffinityTopology": lambda tools: LimitPodHardAntiAffinityTopology(),
    "LimitRanger": lambda tools: LimitRanger(tools.lookup),
    "ServiceAccount": lambda tools: ServiceAccount(tools.lookup),
    "NodeRestriction": lambda tools: NodeRestriction(tools.lookup, tools.authorization),
    "TaintNodesByCondition": lambda tools: TaintNodesByCondition(),
    "AlwaysPullImages": lambda tools: AlwaysPullImages(),
    "ImagePolicyWebhook": lambda tools: ImagePolicyWebhook(tools.image_policy, tools.webhooks),
    "PodSecurity": lambda tools: PodSecurity(
        tools.lookup, tools.configuration.pod_security, tools.pod_security_metrics
    ),
    "PodNodeSelector": lambda tools: PodNodeSelector(tools.lookup, tools.configuration.node_selectors),
    "Priority": lambda tools: Priority(tools.lookup),
    "DefaultTolerationSeconds": lambda tools: DefaultTolerationSeconds(tools.not_ready_s, tools.unreachable_s),
    "PodTolerationRestriction": lambda tools: PodTolerationRestriction(tools.lookup, tools.configuration.tolerations),
    "EventRateLimit": lambda tools: EventRateLimit(tools.configuration.event_limits),
    "ExtendedResourceToleration": lambda tools: ExtendedResourceToleration(),
    "DefaultStorageClass": lambda tools: DefaultStorageClass(tools.lookup),
    "StorageObjectInUseProtection": lambda tools: StorageObjectInUseProtection(),
    "OwnerReferencesPermissionEnforcement": lambda tools: OwnerReferencesPermissionEnforcement(
        tools.lookup, tools.authorization
    ),
    "PersistentVolumeClaimResize": lambda tools: PersistentVolumeClaimResize(tools.lookup),
    "RuntimeClass": lambda tools: RuntimeClass(tools.lookup),
    "CertificateApproval": lambda tools: CertificateApproval(tools.authorization),
    "CertificateSigning": lambda tools: CertificateSigning(tools.authorization),
    "ClusterTrustBundleAttest": lambda tools: ClusterTrustBundleAttest(tools.authorization),
    "CertificateSubjectRestriction": lambda tools: CertificateSubjectRestriction(),
    "DefaultIngressClass": lambda tools: DefaultIngressClass(tools.lookup),
    "DenyServiceExternalIPs": lambda tools: DenyServiceExternalIPs(),
    "PodTopologyLabels": lambda tools: PodTopologyLabels(tools.lookup),
    "MutatingAdmissionPolicy": lambda tools: MutatingAdmissionPolicy(
        tools.lookup, tools.kinds, tools.authorization, tools.metrics
    ),
    "MutatingAdmissionWebhook": lambda tools: MutatingAdmissionWebhook(
        tools.lookup, tools.kinds, tools.asker(), tools.configuration.mutating_accounts
    ),
    "ValidatingAdmissionPolicy": lambda tools: ValidatingAdmissionPolicy(
        tools.lookup, tools.kinds, tools.authorization, tools.metrics
    ),
    "ValidatingAdmissionWebhook": lambda tools: ValidatingAdmissionWebhook(
        tools.lookup, tools.kinds, tools.asker(), tools.configuration.validating_accounts
    ),
    "ResourceQuota": lambda tools: ResourceQuota(tools.lookup, tools.writer, tools.configuration.limited),
    "AlwaysDeny": lambda tools: AlwaysDeny(),
}
"""Every plug-in in the order in which they are asked."""

OFF_BY_DEFAULT = frozenset(
    (
        "AlwaysAdmit", "AlwaysDeny", "AlwaysPullImages", "DenyServiceExternalIPs", "EventRateLimit",
        "ExtendedResourceToleration", "ImagePolicyWebhook",
        "LimitPodHardAntiAffinityTopology", "NamespaceAutoProvision", "NamespaceExists",
        "NodeRestriction", "OwnerReferencesPermissionEnforcement", "PodNodeSelector", "PodTolerationRestriction",
    )
)  # fmt: skip


def selection_faults(enabled: Sequence[str], disabled: Sequence[str]) -> Iterator[str]:
    """What is wrong with the flags that choose plug-ins, in upstream's words."""
    for flag, names in (("enable-admission-plugins", enabled), ("disable-admission-plugins", disabled)):
        for name in names:
            if name not in MAKERS:
                yield f'{flag} plugin "{name}" is unknown'
    for name in sorted(set(enabled) & set(disabled)):
        yield f"[{name}] in enable-admission-plugins and disable-admission-plugins overlapped"


def build_plugins(enabled: Sequence[str], disabled: Sequence[str], tools: Tools) -> list[Plugin]:
    """The plug-ins that are on, in order; after them the guards that no flag turns off by name."""
    chosen = [name for name in MAKERS if name not in disabled and (name in enabled or name not in OFF_BY_DEFAULT)]
    made = [MAKERS[name](tools) for name in chosen]
    made.append(PolicyAuthorization(tools.lookup, tools.kinds, tools.authorization))
    made.append(PodCertificateSigning(tools.authorization))
    if tools.granular_claim_status:
        made.append(ClaimStatusAuthorization(tools.authorization))
    if tools.authorization.rbac is not None:
        made.append(RbacEscalation(tools.authorization))
    return made
