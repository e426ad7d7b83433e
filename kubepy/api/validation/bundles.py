"""Names of certificate signers and of the trust bundles that belong to them.

Source: pkg/apis/core/validation/names.go, ValidateSignerName and ValidateClusterTrustBundleName.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, required, too_long

_PATH_LIMIT = 253 + 1 + 63


def signer_name(name: str, path: str) -> list[FieldError]:
    """Faults in a signer's name: a domain with at least two labels, a slash, and a path of DNS subdomains."""
    if not name:
        return [required(path)]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        why = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
        return [invalid(path, name, why)]
    if len(name) > _PATH_LIMIT + 253:
        return [too_long(path, _PATH_LIMIT + 253)]
    errors = [invalid(path, name, f"validating domain {_quote(domain)}: {text}") for text in _domain(domain)]
    if not rest:
        why = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
        errors.append(invalid(path, name, why))
        return errors
    for segment in rest.split("."):
        errors += [
            invalid(path, name, f"validating label {_quote(segment)}: {text}")
            for text in names.is_dns1123_label(segment)
        ]
    if len(rest) > 253:
        errors.append(too_long(path, 253))
    return errors


def bundle_name(name: str, signer: str | None = None) -> list[str]:
    """What is wrong with a ClusterTrustBundle's name.

    A bundle of a signer (`signer`, or read off the name where that is None) begins with the signer's name, its slash
    written as a colon; one without a signer has no colon.
    """
    if signer is None:
        domain, colon, _ = name.rpartition(":")
        signer = domain.replace(":", "/", 1) if colon else ""
    if not signer:
        if ":" in name:
            return ['ClusterTrustBundle without signer name must not have ":" in its name']
        return names.is_dns1123_subdomain(name)
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        return [f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"]
    return names.is_dns1123_subdomain(name.removeprefix(prefix))


def _domain(domain: str) -> list[str]:
    errors = names.is_dns1123_subdomain(domain)
    if not errors and "." not in domain:
        return ["should be a domain with at least two segments separated by dots"]
    return errors


def _quote(text: str) -> str:
    return f'"{text}"'
