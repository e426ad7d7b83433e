"""What is told of admission webhooks: what was odd about them before may go on."""

import copy
from typing import Any

import pytest

from kubepy.api.validation.registry import rules_for
from tests.unit.api.validation.test_other_groups import WEBHOOK, made

RULES = rules_for("admissionregistration.k8s.io", "ValidatingWebhookConfiguration")


def configuration(*changes: Any) -> Any:
    return made("ValidatingWebhookConfiguration", {"webhooks": [{**copy.deepcopy(WEBHOOK), **c} for c in changes]})


@pytest.mark.parametrize(
    ("odd", "want"),
    [
        (({}, {}), ['webhooks[1].name: Duplicate value: "a.example.com"']),
        (({"admissionReviewVersions": ["v2"]},),
         ['webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1']),
        (({"sideEffects": "Some"},),
         ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"']),
    ],
)  # fmt: skip
def test_what_was_odd_before_may_go_on(odd: Any, want: list[str]) -> None:
    assert [str(fault) for fault in RULES.create(configuration(*odd))] == want
    assert RULES.update(configuration(*odd), configuration(*odd)) == []
    assert [str(fault) for fault in RULES.update(configuration(*odd), configuration({}))] == want


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("/a/", []),
        ("/a//b", ["segment[1] may not be empty"]),
        ("ab/", ["must start with a '/'"]),
        ("/a//", ["segment[1] may not be empty"]),
    ],
)
def test_the_path_of_a_service_is_judged_step_by_step(path: str, want: list[str]) -> None:
    client = {"service": {"name": "s", "namespace": "n", "path": path}}
    found = RULES.create(configuration({"clientConfig": client}))
    assert [fault.message.rpartition(": ")[2] for fault in found] == want


def test_a_url_says_neither_who_nor_no_host() -> None:
    found = RULES.create(configuration({"clientConfig": {"url": "https://u:p@/x"}}))
    assert [fault.message for fault in found] == [
        'Invalid value: "": host must be specified; desired format: https://host[/path]',
        'Invalid value: "u:p": user information is not permitted in the URL',
    ]
