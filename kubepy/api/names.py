r"""What upstream calls a valid name: each check returns upstream's messages, an empty list for a good value.

The messages carry the pattern, as upstream's do ("... (e.g. 'my-name',  or '123-abc', regex used for validation is
'...')"): clients and users grep for them. Lengths are in bytes, which for what the patterns let pass is characters.

Source: apimachinery pkg/util/validation/validation.go and ip.go; pkg/apis/core/validation/names.go for the prefixes.
"""

import ipaddress
import re
from collections.abc import Callable

DNS1123_LABEL_MAX = 63
DNS1123_SUBDOMAIN_MAX = 253
DNS1035_LABEL_MAX = 63
QUALIFIED_NAME_MAX = 63
LABEL_VALUE_MAX = 63
PORT_NAME_MAX = 15
CONFIG_KEY_MAX = 253

NameCheck = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_WILDCARD = r"\*\." + _SUBDOMAIN
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"

_RULES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "label": (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character", _LABEL, ("my-name", "123-abc"),
    ),
    "subdomain": (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character", _SUBDOMAIN, ("example.com",),
    ),
    "subdomain_caseless": (
        "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an "
        "alphanumeric character", _SUBDOMAIN, ("Example.com",),
    ),
    "label1035": (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character", _LABEL_1035, ("my-name", "abc-123"),
    ),
    "wildcard": (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character", _WILDCARD,
        ("*.example.com",),
    ),
    "qualified": (
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
        "character", _QUALIFIED, ("MyName", "my.name", "123-abc"),
    ),
    "label_value": (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
        "and end with an alphanumeric character", f"({_QUALIFIED})?", ("MyValue", "my_value", "12345"),
    ),
    "c_identifier": (
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
        "characters or '_'", "[A-Za-z_][A-Za-z0-9_]*", ("my_name", "MY_NAME", "MyName"),
    ),
    "env_var": (
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
        "^[ -<>-~]+$", (),
    ),
    "config_key": (
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", "[-._a-zA-Z0-9]+",
        ("key.name", "KEY_NAME", "key-name"),
    ),
    "http_header": (
        "a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", ("X-Header-Name",),
    ),
    "http_path": ("Invalid path", _HTTP_PATH, ()),
    "percent": (
        "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", ("1%", "93%"),
    ),
}  # fmt: skip
_MATCHES = {name: re.compile(rule[1].removeprefix("^").removesuffix("$")).fullmatch for name, rule in _RULES.items()}


def max_length_message(limit: int) -> str:
    return f"must be no more than {limit} characters"


def _max_bytes_message(limit: int) -> str:
    """How upstream's newer checks (those of label keys and values) say the same."""
    return f"must be no more than {limit} bytes"


def range_message(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def _pattern_message(rule: str) -> str:
    message, pattern, examples = _RULES[rule]
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


_MESSAGES = {rule: _pattern_message(rule) for rule in _RULES}


def _check(rule: str, value: str, limit: int | None = None) -> list[str]:
    faults = []
    if limit is not None and len(value.encode()) > limit:
        faults.append(max_length_message(limit))
    if not _MATCHES[rule](value):
        faults.append(_MESSAGES[rule])
    return faults


def is_dns1123_label(value: str) -> list[str]:
    faults = _check("label", value, DNS1123_LABEL_MAX)
    if faults and faults[-1] == _MESSAGES["label"] and _MATCHES["subdomain"](value):
        faults[-1] = "must not contain dots"
    return faults


def is_dns1123_subdomain(value: str) -> list[str]:
    return _check("subdomain", value, DNS1123_SUBDOMAIN_MAX)


def is_dns1123_subdomain_caseless(value: str) -> list[str]:
    """As a subdomain, with capitals let pass: the names of CSI's and DRA's drivers."""
    faults = [_max_bytes_message(DNS1123_SUBDOMAIN_MAX)] if len(value.encode()) > DNS1123_SUBDOMAIN_MAX else []
    return faults + ([] if _MATCHES["subdomain"](value.lower()) else [_MESSAGES["subdomain_caseless"]])


def is_dns1035_label(value: str) -> list[str]:
    return _check("label1035", value, DNS1035_LABEL_MAX)


def is_wildcard_dns1123_subdomain(value: str) -> list[str]:
    return _check("wildcard", value, DNS1123_SUBDOMAIN_MAX)


def is_qualified_name(value: str) -> list[str]:
    """`name` or `prefix/name`: label and annotation keys, resource names, finalizers, taint keys."""
    parts = value.split("/")
    faults = []
    if len(parts) > 2:
        tail = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {_MESSAGES['qualified']}{tail}"]
    if len(parts) == 2:
        if not parts[0]:
            faults.append("prefix part must be non-empty")
        else:
            faults += [f"prefix part {fault}" for fault in is_dns1123_subdomain(parts[0])]
    name = parts[-1]
    if not name:
        faults.append("name part must be non-empty")
    elif len(name.encode()) > QUALIFIED_NAME_MAX:
        faults.append(f"name part {_max_bytes_message(QUALIFIED_NAME_MAX)}")
    if not _MATCHES["qualified"](name):
        faults.append(f"name part {_MESSAGES['qualified']}")
    return faults


def is_label_value(value: str) -> list[str]:
    faults = _check("label_value", value)
    return [_max_bytes_message(LABEL_VALUE_MAX), *faults] if len(value.encode()) > LABEL_VALUE_MAX else faults


def is_c_identifier(value: str) -> list[str]:
    return _check("c_identifier", value)


def is_env_var_name(value: str) -> list[str]:
    """Any printable ASCII but '=', as upstream allows since it relaxed the rule (1.34)."""
    if not value:
        return ["environment variable name must be non-empty"]
    return [] if _MATCHES["env_var"](value) else [_RULES["env_var"][0]]


def is_config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: also a file name, so nothing that climbs out of a directory."""
    return _check("config_key", value, CONFIG_KEY_MAX) + _climbs(value)


def _climbs(value: str) -> list[str]:
    if value == ".":
        return ["must not be '.'"]
    if value == "..":
        return ["must not be '..'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def is_http_header_name(value: str) -> list[str]:
    return _check("http_header", value)


def is_percent(value: str) -> list[str]:
    return _check("percent", value)


def is_port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else [range_message(1, 65535)]


def is_in_range(value: int, low: int, high: int) -> list[str]:
    return [] if low <= value <= high else [range_message(low, high)]


def is_user_id(value: int) -> list[str]:
    return is_in_range(value, 0, 2**31 - 1)


is_group_id = is_user_id

_PORT_CHARACTERS = re.compile(r"[-a-z0-9]+").fullmatch


def is_port_name(value: str) -> list[str]:
    """An IANA service name: a container port's or a Service's target."""
    faults = []
    if len(value) > PORT_NAME_MAX:
        faults.append(max_length_message(PORT_NAME_MAX))
    if not _PORT_CHARACTERS(value):
        faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        faults.append("must contain at least one letter (a-z)")
    if "--" in value:
        faults.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        faults.append("must not begin or end with a hyphen")
    return faults


_OCTETS = re.compile(r"\d{1,3}(\.\d{1,3}){3}").fullmatch


def parse_ip(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, or None for what Go would not parse either (zones, leading zeros)."""
    if "%" in value or not value:
        return None
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def is_ip(value: str) -> list[str]:
    """As strictly as since v1.36; see KEP-4858."""
    address = parse_ip(value)
    if address is None:
        if parse_ip(_without_zeros(value)) is not None:
            return ["must not have leading 0s"]
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    if address.version == 6 and address.ipv4_mapped is not None:
        return ["must not be an IPv4-mapped IPv6 address"]
    return []


def _without_zeros(value: str) -> str:
    """An IPv4 address whose parts have no leading zeros; anything else as it is."""
    return ".".join(part.lstrip("0") or "0" for part in value.split(".")) if _OCTETS(value) else value


def is_ipv4(value: str) -> list[str]:
    return [] if _OCTETS(value) and parse_ip(value) else ["must be a valid IPv4 address"]


def is_ipv6(value: str) -> list[str]:
    return [] if ":" in value and parse_ip(value) else ["must be a valid IPv6 address"]


def parse_cidr(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network (host bits are dropped, as net.ParseCIDR does), or None."""
    address, slash, length = value.partition("/")
    if not slash or not length.isdecimal() or parse_ip(address) is None:
        return None
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def is_cidr(value: str) -> list[str]:
    """As strictly as since v1.36; see KEP-4858."""
    address, _, length = value.partition("/")
    plain = f"{_without_zeros(address)}/{length.lstrip('0') or '0'}" if length else value
    network = parse_cidr(plain)
    if network is None:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    if plain != value:
        return ["must not have leading 0s in IP or prefix length"]
    found = ipaddress.ip_address(address)
    if found.version == 6 and found.ipv4_mapped is not None:
        return ["must not have an IPv4-mapped IPv6 address"]
    return [] if found == network.network_address else ["must not have bits set beyond the prefix length"]


def is_canonical_ip(value: str) -> list[str]:
    """For fields that came after the strict rules: one spelling only."""
    faults, address = is_ip(value), parse_ip(value)
    return faults or ([] if value == str(address) else [f'must be in canonical form ("{address}")'])


def is_canonical_cidr(value: str) -> list[str]:
    """For fields that came after the strict rules: one spelling only."""
    faults = is_cidr(value)
    canonical = str(parse_cidr(value))
    return faults or ([] if value == canonical else [f'must be in canonical form ("{canonical}")'])


def is_interface_address(value: str) -> list[str]:
    """An address with the size of its network; one spelling only."""
    text, _, length = value.partition("/")
    address, network = parse_ip(_without_zeros(text)), parse_cidr(f"{_without_zeros(text)}/{length}")
    if address is None or network is None:
        return ["must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"]
    size = network.prefixlen
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address, size = address.ipv4_mapped, size - 96
    canonical = f"{address}/{size}"
    return [] if value == canonical else [f'must be in canonical form ("{canonical}")']


def is_fully_qualified_name(value: str) -> list[str]:
    """A DNS subdomain with at least three parts: signer names' domains, conversion review names."""
    if not value:
        return []
    faults = is_dns1123_subdomain(value)
    if not faults and len(value.split(".")) < 3:
        return ["should be a domain with at least three segments separated by dots"]
    return faults


def is_domain_prefixed_path(value: str) -> list[str]:
    """`example.com/path`: what status.managedBy, signer names and readiness gates look like."""
    domain, _, path = value.partition("/")
    if not domain or not path:
        return ['must be a domain-prefixed path (such as "acme.io/foo")']
    faults = is_dns1123_subdomain(domain)
    if not _MATCHES["http_path"](path):
        faults.append(_MESSAGES["http_path"])
    return faults


def without_trailing_dash(check: NameCheck) -> NameCheck:
    """The check for a `generateName`: a trailing dash is fine, because a suffix follows."""

    def checked(value: str) -> list[str]:
        return check(value[:-2] + "a" if len(value) > 1 and value.endswith("-") else value)

    return checked


def is_path_segment_name(value: str) -> list[str]:
    """What may stand in a URL path: names of RBAC roles and bindings."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in value]
