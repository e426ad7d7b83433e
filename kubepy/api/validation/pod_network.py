"""The rules of a pod's network settings: DNS, host aliases, ports on the host's network.

Source: pkg/apis/core/validation, validatePodDNSConfig, ValidateHostAliases, validatePodHostNetworkDeps.
"""

import re

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import dns_subdomain, ip_address

_NAMESERVERS_LIMIT, _SEARCHES_LIMIT, _SEARCH_CHARACTERS_LIMIT = 3, 32, 2048
_LABEL = "[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?"
_SEARCH_TEXT = rf"{_LABEL}(\.{_LABEL})*"
_SEARCH = re.compile(_SEARCH_TEXT).fullmatch
_SEARCH_FAULT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character or an underscore (e.g. 'example.com', regex used for validation is "
    f"'{_SEARCH_TEXT}')"
)


def validate_dns_config(config: Object | None, policy: str | None, path: str) -> list[FieldError]:
    """Faults in dnsConfig; with the policy `None` it must name a server."""
    servers = (config or {}).get("nameservers") or []
    if policy == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not servers:
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", why)]
    if not config:
        return []
    errors: list[FieldError] = []
    if len(servers) > _NAMESERVERS_LIMIT:
        why = f"must not have more than {_NAMESERVERS_LIMIT} nameservers"
        errors.append(invalid(f"{path}.nameservers", servers, why))
    for index, server in enumerate(servers):
        errors += ip_address(server, f"{path}.nameservers[{index}]")
    errors += _searches(config.get("searches") or [], f"{path}.searches")
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{index}]", "must not be empty"))
    return errors


def _searches(searches: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(searches) > _SEARCHES_LIMIT:
        errors.append(invalid(path, searches, f"must not have more than {_SEARCHES_LIMIT} search paths"))
    if len(" ".join(searches)) > _SEARCH_CHARACTERS_LIMIT:
        why = f"must not have more than {_SEARCH_CHARACTERS_LIMIT} characters (including spaces) in the search list"
        errors.append(invalid(path, searches, why))
    for index, search in enumerate(searches):
        if search == ".":
            continue
        name = search.removesuffix(".")
        if len(name) > names.DNS1123_SUBDOMAIN_MAX:
            why = names.max_length_message(names.DNS1123_SUBDOMAIN_MAX)
            errors.append(invalid(f"{path}[{index}]", name, why))
        if not _SEARCH(name):
            errors.append(invalid(f"{path}[{index}]", name, _SEARCH_FAULT))
    return errors


def validate_host_aliases(aliases: list[Object], path: str) -> list[FieldError]:
    """Faults in hostAliases."""
    errors: list[FieldError] = []
    for index, alias in enumerate(aliases):
        errors += ip_address(alias.get("ip") or "", f"{path}[{index}].ip")
        for number, name in enumerate(alias.get("hostnames") or ()):
            errors += dns_subdomain(name, f"{path}[{index}].hostnames[{number}]")
    return errors


def validate_host_network_ports(containers: list[Object], path: str, *, in_pod: bool) -> list[FieldError]:
    """On the host's network a port is the same inside and outside; a template may leave it to the pod's defaults."""
    errors: list[FieldError] = []
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort") or 0
            if (in_pod or host) and host != (port.get("containerPort") or 0):
                why = "must match `containerPort` when `hostNetwork` is true"
                errors.append(invalid(f"{path}[{index}].ports[{number}].hostPort", host, why))
    return errors
