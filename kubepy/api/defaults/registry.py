"""Finds and applies the defaults of a kind: the merged DEFAULTS tables of all modules of this package.

Applying defaults twice changes nothing the second time; a kind without an entry has no defaults.
Source: pkg/apis/*/*/defaults.go and zz_generated.defaults.go of Kubernetes.
"""

from collections.abc import Callable

from kubepy.api.defaults import apps, autoscaling, batch, cluster, core, extensions, network, pod, service
from kubepy.api.meta import Object

Defaulter = Callable[[Object], None]

_MODULES = (apps, autoscaling, batch, cluster, core, extensions, network, pod, service)

_DEFAULTS: dict[tuple[str, str], Defaulter] = {
    (f"{group}/{version}" if group else version, kind): defaulter
    for module in _MODULES
    for (group, version, kind), defaulter in module.DEFAULTS.items()
}


def apply_defaults(api_version: str, kind: str, obj: Object) -> None:
    """Sets in place what the user left out of an object of that version and kind."""
    defaulter = _DEFAULTS.get((api_version, kind))
    if defaulter is not None:
        defaulter(obj)
