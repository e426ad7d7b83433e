"""Runs a kind's validation rules and turns what they find into upstream's 422.

Source: apiserver pkg/registry/rest/{create,update}.go.
"""

from kubepy.api import errors
from kubepy.api.errors import FieldError
from kubepy.api.meta import Object, name_of
from kubepy.api.names import is_path_segment_name
from kubepy.api.validation.meta import is_metadata_changed, validate_metadata, validate_metadata_update
from kubepy.api.validation.privileged import privileged_faults
from kubepy.api.validation.registry import Rules, rules_for
from kubepy.apiserver.cel.pacing import TooLong
from kubepy.apiserver.registry.served import Served
from kubepy.lib.beside import beside


def rules_of(served: Served, warnings: list[str] | None = None) -> Rules:
    """The rules of the group that the request names; they judge the kind as it is stored (events have two groups).

    What a rule of a custom resource lets pass, because it was so before, goes to `warnings`.
    """
    if served.custom is not None:
        return served.custom.rules(warnings)
    return rules_for(served.resource.group, served.resource.kind)


async def check_create(served: Served, obj: Object) -> None:
    """Raises Invalid."""
    try:
        _check_create(served, obj)
    except TooLong:
        await beside(lambda: _check_create(served, obj))


def _check_create(served: Served, obj: Object) -> None:
    faults = served.strategy.unauthorized(obj, None) + rules_of(served).create(obj) + _policy_faults(served, obj)
    _raise_for(served, obj, faults or served.strategy.faults(obj))


async def check_update(served: Served, new: Object, old: Object, subresource: str, warnings: list[str]) -> None:
    """Raises Invalid."""
    before = len(warnings)
    try:
        _check_update(served, new, old, subresource, warnings)
    except TooLong:
        del warnings[before:]
        await beside(lambda: _check_update(served, new, old, subresource, warnings))


def _check_update(served: Served, new: Object, old: Object, subresource: str, warnings: list[str]) -> None:
    rules = rules_of(served, warnings)
    if subresource == "":
        faults = rules.update(new, old) + _policy_faults(served, new, old)
        faults = faults or served.strategy.faults(new)
    elif subresource == "status":
        faults = served.strategy.unauthorized(new, old) + (rules.status(new, old) if rules.status else [])
    elif subresource in rules.subresources:
        faults = rules.subresources[subresource](new, old)
    else:
        faults = rules.update(new, old)
    if faults or is_metadata_changed(new, old):
        faults = _common_faults(served, new, old) + faults
    _raise_for(served, new, faults)


def _common_faults(served: Served, new: Object, old: Object) -> list[FieldError]:
    """What upstream asks of every object that changes, before it asks the kind, which mostly asks it again."""
    namespaced = served.storage.namespaced
    faults = validate_metadata(new, namespaced, is_path_segment_name, standard_finalizers=False)
    return faults + validate_metadata_update(new, old, standard_finalizers=False)


def _policy_faults(served: Served, new: Object, old: Object | None = None) -> list[FieldError]:
    """What the rules of the kind know nothing of: what this server's flags forbid. What was there before stays."""
    if not (path := served.strategy.unprivileged):
        return []
    before = privileged_faults(old, path) if old is not None else []
    return [fault for fault in privileged_faults(new, path) if fault not in before]


def _raise_for(served: Served, obj: Object, faults: list[FieldError]) -> None:
    if faults:
        raise errors.invalid_object(served.storage.group, served.storage.kind, name_of(obj), faults)
