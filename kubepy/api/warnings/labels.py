"""Labels of nodes that nobody should select by any more, and addresses in forms that will be refused one day.

Source: pkg/api/node/util.go; apimachinery pkg/util/validation/ip.go.
"""

from collections.abc import Iterable, Iterator, Mapping

from kubepy.api import names
from kubepy.api.meta import Object

DEPRECATED: Mapping[str, str] = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def warn_of_term(term: Object, path: str, *, check_values: bool = False) -> Iterator[str]:
    """Of a term of a node selector."""
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        at, key = f"{path}.matchExpressions[{index}]", expression.get("key") or ""
        if key in DEPRECATED:
            yield f"{at}.key: {key} is {DEPRECATED[key]}"
        if check_values:
            for place, value in enumerate(expression.get("values") or ()):
                for why in names.is_label_value(value):
                    yield f"{at}.values[{place}]: {value} is invalid, {why}"


def warn_of_addresses(addresses: Iterable[str], path: str) -> Iterator[str]:
    """Of a list of addresses."""
    for index, address in enumerate(addresses):
        yield from warn_of_address(address, f"{path}[{index}]")


def warn_of_address(text: str, path: str) -> Iterator[str]:
    """Of one address that is valid."""
    address = names.parse_ip(text)
    if address is None or address.version == 4:
        return
    if address.ipv4_mapped is not None:
        yield (
            f'{path}: non-standard IP address "{text}" will be considered invalid in a future Kubernetes release: '
            f'use "{address.ipv4_mapped}"'
        )
    elif str(address) != text:
        yield f'{path}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")'


def warn_of_ranges(ranges: Iterable[str], path: str) -> Iterator[str]:
    """Of a list of CIDRs."""
    for index, text in enumerate(ranges):
        yield from warn_of_range(text, f"{path}[{index}]")


def warn_of_range(text: str, path: str) -> Iterator[str]:
    """Of one CIDR that is valid."""
    network = names.parse_cidr(text.strip())
    address = names.parse_ip(text.strip().partition("/")[0])
    if network is None or address is None:
        return
    if address != network.network_address:
        yield (
            f'{path}: CIDR value "{text}" is ambiguous in this context (should be "{network}" or '
            f'"{address}/{network.max_prefixlen}"?)'
        )
    elif network.version == 6 and str(network) != text:
        yield f'{path}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{network}")'
