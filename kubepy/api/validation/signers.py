"""Rules of the names of signers of certificates.

Source: pkg/apis/core/validation/validation.go (ValidateSignerName).
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, render_value, required, too_long
from kubepy.api.validation.meta import NameCheck

_DOMAIN_LIMIT, _SIGNER_LIMIT = 253, 571


def validate_signer_name(name: str, path: str) -> list[FieldError]:
    """Faults of a signer's name: a domain and a path, as in `example.com/name`."""
    if not name:
        return [required(path, "signerName must be provided")]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    errors = [too_long(path, _DOMAIN_LIMIT)] if len(domain) > _DOMAIN_LIMIT else []
    errors += _segment(domain, path, names.is_dns1123_label)
    if "." not in domain:
        errors.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    errors += _segment(rest, path, names.is_dns1123_subdomain)
    return [*errors, too_long(path, _SIGNER_LIMIT)] if len(name) > _SIGNER_LIMIT else errors


def _segment(segment: str, path: str, check: NameCheck) -> list[FieldError]:
    """The faults of the first bad label of a segment; those of the others would say the same."""
    for label in segment.split("."):
        if faults := check(label):
            return [invalid(path, segment, f"validating label {render_value(label)}: {text}") for text in faults]
    return []
