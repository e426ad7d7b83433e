"""Rules of how a webhook is reached: used by admission webhooks and by the conversion of custom resources.

Source: apiserver pkg/util/webhook/validation.go.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.meta import Object

_FORM = "; desired format: https://host[/path]"
REVIEW_VERSIONS = ("v1", "v1beta1")


def validate_url(url: str, path: str) -> list[FieldError]:
    """Faults of a webhook's URL."""
    try:
        parts = urlsplit(url)
    except ValueError as fault:
        return [required(path, f"url must be a valid URL: {fault}{_FORM}")]
    errors = []
    if parts.scheme != "https":
        errors.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not parts.netloc.rpartition("@")[2]:
        errors.append(invalid(path, "", f"host must be specified{_FORM}"))
    if parts.username is not None:
        errors.append(invalid(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return errors


def validate_service(service: Object, path: str) -> list[FieldError]:
    """Faults of the Service behind a webhook."""
    errors = []
    for field in ("name", "namespace"):
        if not service.get(field):
            errors.append(required(f"{path}.{field}", f"service {field} is required"))
    port = service.get("port")
    if port is not None and names.is_port_number(port):
        errors.append(invalid(f"{path}.port", port, f"port is not valid: {names.is_port_number(port)[0]}"))
    if service.get("path") is not None:
        errors += _url_path(service["path"], f"{path}.path")
    return errors


def _url_path(text: str, path: str) -> list[FieldError]:
    if text in ("/", ""):
        return []
    if text == "//":
        return [invalid(path, text, "segment[0] may not be empty")]
    errors = [] if text.startswith("/") else [invalid(path, text, "must start with a '/'")]
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            errors.append(invalid(path, text, f"segment[{index}] may not be empty"))
        else:
            errors += [invalid(path, text, f"segment[{index}]: {why}") for why in names.is_dns1123_subdomain(step)]
    return errors


def validate_client(client: Object, path: str) -> list[FieldError]:
    """Faults of a clientConfig: a URL or a Service, never both."""
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        return validate_url(url, f"{path}.url")
    return validate_service(service or {}, f"{path}.service")


def validate_review_versions(
    versions: Sequence[str], path: str, *, when_empty: str = "", must_be_known: bool = True
) -> list[FieldError]:
    """Faults of the list of review versions that a webhook understands; one must be the server's."""
    if not versions:
        return [required(path, when_empty)]
    errors: list[FieldError] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            errors.append(invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            errors += [invalid(f"{path}[{index}]", version, why) for why in names.is_dns1035_label(version)]
    if must_be_known and not set(versions) & set(REVIEW_VERSIONS):
        why = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        errors.append(invalid(path, list(versions), why))
    return errors
