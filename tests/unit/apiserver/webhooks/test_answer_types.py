"""Answers of webhooks whose values are not of their types, in the words of Go's decoder."""

from typing import Any

import pytest

from kubepy.apiserver.webhooks.answer_types import fault_in_types

TYPES = {"uid": (str, "types.UID"), "allowed": (bool, "bool")}


@pytest.mark.parametrize(
    ("response", "told"),
    [
        ({"uid": "a", "allowed": True}, None),
        ({"uid": None, "more": 1}, None),
        ([], "array into Go struct field AdmissionReview.response of type v1.AdmissionResponse"),
        ({"uid": 1}, "number into Go struct field AdmissionResponse.response.uid of type types.UID"),
        ({"allowed": "yes"}, "string into Go struct field AdmissionResponse.response.allowed of type bool"),
    ],
)
def test_what_cannot_be_read_is_named(response: Any, told: str | None) -> None:
    assert fault_in_types(response, "Admission", TYPES) == (told and f"json: cannot unmarshal {told}")
