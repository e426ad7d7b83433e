"""CustomResourceDefinitions and APIServices: what the server itself writes into them.

Source: apiextensions-apiserver pkg/registry/customresourcedefinition/strategy.go.
"""

from typing import Any

from kubepy.api.errors import FieldError
from kubepy.api.meta import Object, add_finalizer
from kubepy.api.validation.crd_version import schemas_of
from kubepy.apiserver.loops.api_services import available
from kubepy.apiserver.loops.definition_status import set_condition
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.default_faults import faults_of_defaults
from kubepy.apiserver.registry.strategy import Strategy
from kubepy.apiserver.registry.structural import has_rules
from kubepy.lib.clock import rfc3339

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class CustomResourceDefinitionStrategy(Strategy):
    """Deleting a definition waits until its objects are gone: the finalizer is added by the delete."""

    tracks_generation = True
    allows_unconditional_update = False

    def reset_status(self, obj: Object) -> None:
        versions = (obj.get("spec") or {}).get("versions") or ()
        stored = [version.get("name") for version in versions if version.get("storage")]
        obj["status"] = {
            "conditions": None,
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": stored or None,
        }

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        status: dict[str, Any] = {**(new.get("status") or {})}
        stored = list(status.get("storedVersions") or ())
        for version in (new.get("spec") or {}).get("versions") or ():
            if version.get("storage") and version.get("name") not in stored:
                status["storedVersions"] = [*stored, version["name"]]
                new["status"] = status

    def faults(self, obj: Object) -> list[FieldError]:
        if obj["metadata"].get("deletionTimestamp"):
            return []  # what is going must be able to go
        found: list[FieldError] = []
        for path, schema in schemas_of(obj.get("spec") or {}):
            wrong = faults_of_defaults(schema, path)
            if not wrong and has_rules(schema):
                from kubepy.apiserver.registry import rule_faults  # only who has rules pays for what compiles them

                wrong = rule_faults.faults_of_rules(schema, path)
            found += wrong
        return found

    def begin_delete(self, obj: Object, ctx: Context) -> bool:
        if obj["metadata"].get("deletionTimestamp"):
            return False
        add_finalizer(obj, CLEANUP)
        why = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        set_condition(obj, "Terminating", "True", "InstanceDeletionPending", why, rfc3339(ctx.now))
        return True


class APIServiceStrategy(Strategy):
    """APIServices: a local one, which names no Service, is available by itself."""

    allows_unconditional_update = False
    status_keeps_metadata = True

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        if not (obj.get("spec") or {}).get("service"):
            obj["status"] = {"conditions": [available(rfc3339(ctx.now))]}
