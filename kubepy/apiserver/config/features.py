"""Which features --feature-gates turns off here, and what it names in vain.

Upstream's manifests name features of every age: one that is not known is no fault, and told of at the start.
Source: component-base/featuregate/feature_gate.go.
"""

from collections.abc import Iterator, Mapping

WEBSOCKET_CREATE = "AuthorizePodWebsocketUpgradeCreatePermission"
IMPERSONATION = "ConstrainedImpersonation"
CLAIM_STATUS = "DRAResourceClaimGranularStatusAuthorization"
KNOWN = frozenset((WEBSOCKET_CREATE, IMPERSONATION, CLAIM_STATUS))
"""Those that can be turned off; they are on by default."""
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


def is_enabled(gates: Mapping[str, str], feature: str) -> bool:
    """Whether a feature of KNOWN has not been turned off."""
    return gates.get(feature, "true").lower() not in _FALSE


def without_effect(gates: Mapping[str, str]) -> list[str]:
    """The features that are named and that nothing here depends on."""
    return sorted(set(gates) - KNOWN)


def feature_faults(gates: Mapping[str, str]) -> Iterator[str]:
    """Values that are neither true nor false."""
    for name, text in gates.items():
        if text.lower() not in (*_TRUE, *_FALSE):
            yield f'invalid value of {name}={text}, err: strconv.ParseBool: parsing "{text}": invalid syntax'
