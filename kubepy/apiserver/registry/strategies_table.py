"""Which strategy each kind has: a kind that behaves like all others is not listed.

Source: the strategy.go files of pkg/registry; what they allow is read off AllowCreateOnUpdate and
AllowUnconditionalUpdate, what a delete answers off ReturnDeletedObject.
"""

from collections.abc import Mapping

from kubepy.api.resources import Resource
from kubepy.apiserver.registry.strategies import (
    admission,
    certificates,
    core,
    devices,
    extensions,
    jobs,
    pods,
    services,
    workloads,
)
from kubepy.apiserver.registry.strategy import Strategy

_ADMISSION, _FLOW = "admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io"
_NET, _RBAC, _STORAGE = "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io"
_DRA = "resource.k8s.io"

STRATEGIES: Mapping[tuple[str, str], type[Strategy]] = {
    ("", "Endpoints"): core.CreatesOnUpdateStrategy,
    ("", "Event"): core.EventStrategy,
    ("", "LimitRange"): core.LimitRangeStrategy,
    ("", "Namespace"): core.NamespaceStrategy,
    ("", "Node"): core.NodeStrategy,
    ("", "PersistentVolume"): core.PersistentVolumeStrategy,
    ("", "PersistentVolumeClaim"): core.PersistentVolumeClaimStrategy,
    ("", "Pod"): pods.PodStrategy,
    ("", "PodTemplate"): core.CountedReturnsDeletedStrategy,
    ("", "ReplicationController"): workloads.ReplicationControllerStrategy,
    ("", "ResourceQuota"): core.ReturnsDeletedStrategy,
    ("", "Secret"): core.SecretStrategy,
    ("", "Service"): services.ServiceStrategy,
    ("", "ServiceAccount"): core.ServiceAccountStrategy,
    (_ADMISSION, "MutatingAdmissionPolicy"): admission.PolicyStrategy,
    (_ADMISSION, "MutatingAdmissionPolicyBinding"): core.CountedConditionalStrategy,
    (_ADMISSION, "MutatingWebhookConfiguration"): admission.WebhooksStrategy,
    (_ADMISSION, "ValidatingAdmissionPolicy"): admission.PolicyStrategy,
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): core.CountedConditionalStrategy,
    (_ADMISSION, "ValidatingWebhookConfiguration"): admission.WebhooksStrategy,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): extensions.CustomResourceDefinitionStrategy,
    ("apiregistration.k8s.io", "APIService"): extensions.APIServiceStrategy,
    ("apps", "DaemonSet"): workloads.DaemonSetStrategy,
    ("apps", "Deployment"): workloads.DeploymentStrategy,
    ("apps", "ReplicaSet"): workloads.ReplicaSetStrategy,
    ("apps", "StatefulSet"): workloads.StatefulSetStrategy,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.AutoscalerStrategy,
    ("batch", "CronJob"): jobs.CronJobStrategy,
    ("batch", "Job"): jobs.JobStrategy,
    ("certificates.k8s.io", "CertificateSigningRequest"): certificates.CertificateSigningRequestStrategy,
    ("certificates.k8s.io", "ClusterTrustBundle"): core.ConditionalUpdateStrategy,
    ("certificates.k8s.io", "PodCertificateRequest"): certificates.PodCertificateRequestStrategy,
    ("coordination.k8s.io", "Lease"): core.LeaseStrategy,
    ("discovery.k8s.io", "EndpointSlice"): core.GenerationStrategy,
    (_FLOW, "FlowSchema"): core.FlowControlStrategy,
    (_FLOW, "PriorityLevelConfiguration"): core.FlowControlStrategy,
    (_NET, "Ingress"): core.LoadBalancedStrategy,
    (_NET, "IngressClass"): core.GenerationStrategy,
    (_NET, "NetworkPolicy"): core.GenerationStrategy,
    (_NET, "ServiceCIDR"): core.PlainStatusStrategy,
    ("policy", "PodDisruptionBudget"): workloads.PodDisruptionBudgetStrategy,
    (_RBAC, "ClusterRole"): core.CreatesOnUpdateStrategy,
    (_RBAC, "ClusterRoleBinding"): core.CreatesOnUpdateStrategy,
    (_RBAC, "Role"): core.CreatesOnUpdateStrategy,
    (_RBAC, "RoleBinding"): core.CreatesOnUpdateStrategy,
    ("node.k8s.io", "RuntimeClass"): core.RuntimeClassStrategy,
    (_DRA, "DeviceClass"): devices.DeviceClassStrategy,
    (_DRA, "DeviceTaintRule"): devices.DeviceTaintRuleStrategy,
    (_DRA, "ResourceClaim"): devices.ResourceClaimStrategy,
    (_DRA, "ResourceClaimTemplate"): devices.ResourceClaimTemplateStrategy,
    (_DRA, "ResourceSlice"): devices.ResourceSliceStrategy,
    ("scheduling.k8s.io", "PriorityClass"): core.GenerationStrategy,
    (_STORAGE, "CSIDriver"): core.CSIDriverStrategy,
    (_STORAGE, "CSINode"): core.ConditionalReturnsDeletedStrategy,
    (_STORAGE, "CSIStorageCapacity"): core.ConditionalUpdateStrategy,
    (_STORAGE, "StorageClass"): core.ReturnsDeletedStrategy,
    (_STORAGE, "VolumeAttachment"): core.VolumeAttachmentStrategy,
    (_STORAGE, "VolumeAttributesClass"): core.ReturnsDeletedStrategy,
    ("storagemigration.k8s.io", "StorageVersionMigration"): core.ConditionalUpdateStrategy,
}


def strategy_for(resource: Resource) -> Strategy:
    """A new strategy for the resource that its objects are stored as."""
    return STRATEGIES.get((resource.group, resource.kind), Strategy)(resource)
