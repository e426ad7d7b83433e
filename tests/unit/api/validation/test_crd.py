"""CustomResourceDefinitions: which faults are told together, in which order, and what may be changed."""

import base64
import copy
from typing import Any

import pytest

from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.validation.crd import create_definition, update_definition
from kubepy.api.warnings.definitions import warn_of_definition

Json = dict[str, Any]
PLAIN: Json = {"type": "object"}


def definition(*schemas: Json, group: str = "g.test", **spec: Any) -> Json:
    """A definition with a version for each schema, the first of which is stored."""
    versions = [
        {"name": f"v{number}", "served": True, "storage": number == 1, "schema": {"openAPIV3Schema": schema}}
        for number, schema in enumerate(schemas or (PLAIN,), 1)
    ]
    made: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": versions,
            **spec,
        },
        "status": {"storedVersions": ["v1"], "conditions": [{"type": "Established", "status": "True"}]},
    }
    apply_defaults("apiextensions.k8s.io/v1", "CustomResourceDefinition", made)
    return made


def told(faults: list[Any]) -> list[str]:
    return [str(fault) for fault in faults]


def test_faults_of_a_version_come_before_those_of_names_and_of_what_all_share() -> None:
    made = definition()
    made["spec"]["versions"][0] |= {"name": "V1", "schema": {"openAPIV3Schema": {"type": "string"}}}
    made["spec"]["names"]["kind"] = ""
    made["status"]["storedVersions"] = ["V1"]
    assert [fault.field for fault in create_definition(made)] == [
        "spec.versions[0].name",
        "spec.version",
        "spec.names.kind",
        "spec.validation.openAPIV3Schema.type",
    ]


def test_versions_are_shown_as_upstream_keeps_them() -> None:
    made = definition()
    made["spec"]["versions"][0]["storage"] = False
    assert told(create_definition(made))[0] == (
        'spec.versions: Invalid value: [{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,'
        '"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,'
        '"SelectableFields":null}]: must have exactly one version marked as storage version'
    )


def test_only_plain_fields_may_stand_beside_a_status() -> None:
    made = definition({**PLAIN, "anyOf": [{"required": ["a"]}]})
    made["spec"]["versions"][0]["subresources"] = {"status": {}}
    fault = next(fault for fault in create_definition(made) if fault.field == "spec.validation.openAPIV3Schema")
    assert fault.message.endswith(
        "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength "
        "Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example "
        "XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource "
        "is enabled"
    )
    assert fault.message.startswith('Invalid value: {"ID":"","Schema":"","Ref":null,"Description":"","Type":"object",')


def test_each_version_counts_by_its_own_status() -> None:
    made = definition({**PLAIN, "maxProperties": 3}, PLAIN)
    made["spec"]["versions"][1]["subresources"] = {"status": {}}
    assert create_definition(made) == []


@pytest.mark.parametrize(
    ("path", "told_of"),
    [
        (".spec.a", None),
        (".metadata.name", "is an invalid path: does not refer to a valid field"),
        (".spec", "must point to a field of type string, boolean or integer."),
    ],
)
def test_selectable_fields_are_plain_ones(path: str, told_of: str | None) -> None:
    made = definition({**PLAIN, "properties": {"spec": {**PLAIN, "properties": {"a": {"type": "string"}}}}})
    made["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": path}]
    assert [told_of in str(fault) for fault in create_definition(made) if told_of] == ([True] if told_of else [])


def test_what_an_established_definition_keeps_is_told_of_in_order() -> None:
    old, new = definition(), definition(group="h.test", scope="Cluster")
    new["metadata"] = old["metadata"] = {**old["metadata"], "resourceVersion": "1"}
    new["spec"]["names"] |= {"kind": "Gadget", "plural": "gadgets"}
    assert [fault.field for fault in update_definition(new, old)] == [
        "spec.scope",
        "spec.names.kind",
        "spec.group",
        "spec.names.plural",
    ]


def test_definition_without_versions_is_told_so() -> None:
    made = definition()
    made["spec"]["versions"], made["status"] = [], {}
    assert told(create_definition(made)) == [
        "spec.versions: Invalid value: null: must have exactly one version marked as storage version",
        "status.storedVersions: Invalid value: null: must have at least one stored version",
    ]


def test_deep_schemas_are_shown_too() -> None:
    made = definition()
    schema: Json = {"type": "string"}
    for _ in range(130):
        schema = {"type": "array", "items": schema}
    whole = {"type": "object", "properties": {"a": schema}}
    made["spec"]["versions"][0] |= {"schema": {"openAPIV3Schema": whole}}
    assert create_definition(made) == []
    made["spec"]["versions"][0]["storage"] = False
    assert told(create_definition(made))[0].endswith("must have exactly one version marked as storage version")


def test_approval_cannot_be_taken_away() -> None:
    old = definition(group="x.k8s.io")
    old["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://a.b/c"}
    old["metadata"]["resourceVersion"] = "1"
    new = copy.deepcopy(old)
    del new["metadata"]["annotations"]
    assert [fault.field for fault in update_definition(new, old)] == [
        "metadata.annotations[api-approved.kubernetes.io]"
    ]


def test_certificates_of_a_webhook_stay_good_once_they_were() -> None:
    def converting(bundle: bytes) -> Json:
        client = {"url": "https://a.b", "caBundle": base64.b64encode(bundle).decode()}
        webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
        made = definition(conversion={"strategy": "Webhook", "webhook": webhook})
        made["metadata"]["resourceVersion"] = "1"
        return made

    assert create_definition(converting(b"bad")) == []
    assert update_definition(converting(b"worse"), converting(b"bad")) == []
    assert told(update_definition(converting(b"bad"), converting(b""))) == [
        'spec.conversion.webhookClientConfig.caBundle: Invalid value: "YmFk": unable to load root certificates: '
        "unable to parse bytes as PEM block"
    ]


def test_unknown_formats_are_warned_of_once_they_are_new() -> None:
    fields = {
        "a": {"type": "string", "format": "int64"},
        "b": {"type": "integer", "format": "int64"},
        "c": {"type": "string", "format": "date-time"},
        "d": {"type": "object", "format": "x"},
    }
    made = definition({**PLAIN, "properties": fields})
    assert warn_of_definition(made, None) == ['unrecognized format "int64"', 'unrecognized format "x"']
    old = definition({**PLAIN, "properties": {"d": fields["d"]}})
    assert warn_of_definition(made, old) == ['unrecognized format "int64"']
