"""Defaults of what extends the API: admission webhooks and policies, CustomResourceDefinitions, devices.

Source: pkg/apis/admissionregistration/v1/defaults.go, apiextensions-apiserver pkg/apis/apiextensions/v1/defaults.go,
pkg/apis/resource/v1/defaults.go.
"""

from collections.abc import Iterable

from kubepy.api.defaults.setting import Defaults, child, set_default
from kubepy.api.meta import Object

_ADMISSION, _DRA = "admissionregistration.k8s.io", "resource.k8s.io"
_WEBHOOK_PORT = 443


def _default_client(client: Object | None) -> None:
    service = (client or {}).get("service")
    if service is not None:
        set_default(service, "port", _WEBHOOK_PORT)


def _default_rules(rules: Iterable[Object] | None) -> None:
    for rule in rules or ():
        set_default(rule, "scope", "*")


def _default_match(match: Object) -> None:
    set_default(match, "matchPolicy", "Equivalent")
    child(match, "namespaceSelector")
    child(match, "objectSelector")


def default_validating_webhooks(obj: Object) -> None:
    """Fail closed, match equivalent versions everywhere, wait ten seconds."""
    for webhook in obj.get("webhooks") or ():
        set_default(webhook, "failurePolicy", "Fail")
        _default_match(webhook)
        set_default(webhook, "timeoutSeconds", 10)
        _default_client(webhook.get("clientConfig"))
        _default_rules(webhook.get("rules"))


def default_mutating_webhooks(obj: Object) -> None:
    """As validating ones, and called once."""
    default_validating_webhooks(obj)
    for webhook in obj.get("webhooks") or ():
        set_default(webhook, "reinvocationPolicy", "Never")


def _default_constraints(match: Object | None) -> None:
    if match is not None:
        _default_match(match)
        _default_rules(match.get("resourceRules"))
        _default_rules(match.get("excludeResourceRules"))


def default_admission_policy(obj: Object) -> None:
    """Fail closed, match equivalent versions everywhere."""
    spec = child(obj, "spec")
    set_default(spec, "failurePolicy", "Fail")
    _default_constraints(spec.get("matchConstraints"))


def default_policy_binding(obj: Object) -> None:
    """A binding's own match is filled in like a policy's."""
    _default_constraints(child(obj, "spec").get("matchResources"))


def default_definition(obj: Object) -> None:
    """Names follow from the kind; nothing is converted."""
    spec = child(obj, "spec")
    names = child(spec, "names")
    if kind := names.get("kind"):
        set_default(names, "singular", kind.lower())
        set_default(names, "listKind", f"{kind}List")
    conversion = child(spec, "conversion")
    set_default(conversion, "strategy", "None")
    _default_client((conversion.get("webhook") or {}).get("clientConfig"))


def _default_device_request(request: Object) -> None:
    set_default(request, "allocationMode", "ExactCount")
    if request["allocationMode"] == "ExactCount" and not request.get("count"):
        request["count"] = 1
    for toleration in request.get("tolerations") or ():
        set_default(toleration, "operator", "Equal")


def _default_devices(spec: Object) -> None:
    for request in (spec.get("devices") or {}).get("requests") or ():
        if request.get("exactly") is not None:
            _default_device_request(request["exactly"])
        for option in request.get("firstAvailable") or ():
            _default_device_request(option)


def default_resource_claim(obj: Object) -> None:
    """Each request is for exactly one device."""
    _default_devices(child(obj, "spec"))


def default_resource_claim_template(obj: Object) -> None:
    """As the claims that are made of it."""
    _default_devices(child(child(obj, "spec"), "spec"))


DEFAULTS: Defaults = {
    (_ADMISSION, "v1", "MutatingWebhookConfiguration"): default_mutating_webhooks,
    (_ADMISSION, "v1", "ValidatingWebhookConfiguration"): default_validating_webhooks,
    (_ADMISSION, "v1", "ValidatingAdmissionPolicy"): default_admission_policy,
    (_ADMISSION, "v1", "MutatingAdmissionPolicy"): default_admission_policy,
    (_ADMISSION, "v1", "ValidatingAdmissionPolicyBinding"): default_policy_binding,
    (_ADMISSION, "v1", "MutatingAdmissionPolicyBinding"): default_policy_binding,
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"): default_definition,
    (_DRA, "v1", "ResourceClaim"): default_resource_claim,
    (_DRA, "v1", "ResourceClaimTemplate"): default_resource_claim_template,
}
