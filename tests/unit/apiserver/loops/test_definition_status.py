"""The status of definitions: names are claimed by who comes first, and what is wrong is told as conditions."""

import base64
from typing import Any

from kubepy.apiserver.loops.definition_status import Names, claimed, condition, is_established, with_status
from kubepy.lib import pki

NOW = "2026-01-02T03:04:05Z"
NOTHING = Names(frozenset(), frozenset())
Json = dict[str, Any]


def definition(plural: str = "widgets", kind: str = "Widget", **names: Any) -> Json:
    every = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List", **names}
    schema = {"openAPIV3Schema": {"type": "object"}}
    return {
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {"group": "example.com", "names": every, "versions": [{"name": "v1", "schema": schema}]},
    }


def told(obj: Json) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in obj["status"]["conditions"]}


def test_first_definition_is_established_and_stays_so() -> None:
    made = with_status(definition(shortNames=["w"]), lambda: NOTHING, NOW)
    assert is_established(made)
    assert told(made) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    assert made["status"]["acceptedNames"] == made["spec"]["names"]
    assert with_status(made, lambda: NOTHING, "later") is made


def test_definition_whose_webhook_has_no_certificates_is_not_established() -> None:
    made = definition()
    bundle = base64.b64encode(b"Cg==").decode()
    made["spec"]["conversion"] = {"strategy": "Webhook", "webhook": {"clientConfig": {"caBundle": bundle}}}
    assert told(with_status(made, lambda: NOTHING, NOW)) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("False", "InvalidCABundle"),
    }
    good = pki.new_ca("a").certificate_pem
    made["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] = base64.b64encode(good).decode()
    assert is_established(with_status(made, lambda: NOTHING, NOW))


def test_names_in_use_are_not_given() -> None:
    first = with_status(definition(shortNames=["w", "x"]), lambda: NOTHING, NOW)
    second = with_status(definition("gadgets", "Gadget", shortNames=["w", "x"]), lambda: claimed([first]), NOW)
    found = condition(second, "NamesAccepted")
    assert found is not None
    assert (found["reason"], found["message"]) == (
        "ShortNamesConflict",
        '["w" is already in use, "x" is already in use]',
    )
    assert not is_established(second)
    assert "shortNames" not in second["status"]["acceptedNames"]
    assert second["status"]["acceptedNames"]["plural"] == "gadgets"
    assert is_established(with_status(second, lambda: NOTHING, NOW))


def test_established_definition_stays_served_when_it_asks_for_names_in_use() -> None:
    first = with_status(definition(shortNames=["w"]), lambda: NOTHING, NOW)
    second = with_status(definition("gadgets", "Gadget"), lambda: claimed([first]), NOW)
    second["spec"]["names"] = {**second["spec"]["names"], "shortNames": ["w"]}
    judged = with_status(second, lambda: claimed([first]), NOW)
    assert told(judged) == {
        "NamesAccepted": ("False", "ShortNamesConflict"),
        "Established": ("True", "InitialNamesAccepted"),
    }


def test_schema_that_is_not_structural_is_told() -> None:
    made = definition()
    made["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {"type": "object", "properties": {"a": {}}}
    found = condition(with_status(made, lambda: NOTHING, NOW), "NonStructuralSchema")
    assert found is not None
    assert (found["status"], found["reason"], found["message"]) == (
        "True",
        "Violations",
        "spec.versions[0].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified "
        "object fields",
    )
