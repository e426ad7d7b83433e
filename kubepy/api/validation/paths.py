"""The rules of paths in volumes and of file modes: nothing climbs out of the directory that it is given.

Source: pkg/apis/core/validation, validateLocalDescendingPath and friends.
"""

from kubepy.api.errors import FieldError, invalid

_MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive"


def no_backsteps(value: str, path: str) -> list[FieldError]:
    """No element of the path is `..`."""
    return [invalid(path, value, "must not contain '..'")] if ".." in value.split("/") else []


def descending_path(value: str, path: str) -> list[FieldError]:
    """Relative, without `..`."""
    errors = [invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return errors + no_backsteps(value, path)


def local_file_path(value: str, path: str) -> list[FieldError]:
    """Relative, without `..`, and not beginning with two dots (which are the volume's own)."""
    errors = descending_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        errors.append(invalid(path, value, "must not start with '..'"))
    return errors


def file_mode(value: int | None, path: str) -> list[FieldError]:
    """Permission bits, unless absent."""
    return [] if value is None or 0 <= value <= 0o777 else [invalid(path, value, _MODE_TEXT)]
