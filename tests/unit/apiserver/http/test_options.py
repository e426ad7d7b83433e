"""The options of the verbs, and how wrong ones are refused."""

from typing import Any

import pytest

from kubepy.api.errors import ApiError, BadRequest, Invalid
from kubepy.apiserver.http.options import (
    BadResourceVersion,
    DeleteOptions,
    parse_delete_options,
    parse_list_options,
    parse_write_options,
    require_uint,
)


def params(**values: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in values.items()}


def fields_of(error: ApiError) -> list[str]:
    return [cause["field"] for cause in error.details["causes"]]


def test_list_options_are_read() -> None:
    options = parse_list_options(params(labelSelector="a=b", fieldSelector="metadata.name=x", limit="5"))
    assert (str(options.selector), str(options.fields), options.limit) == ("a=b", "metadata.name=x", 5)
    assert parse_list_options({}).selector.is_everything


@pytest.mark.parametrize(
    ("given", "watch", "field"),
    [
        (params(resourceVersionMatch="Exact"), False, "resourceVersionMatch"),
        (params(resourceVersionMatch="Exact", resourceVersion="0"), False, "resourceVersionMatch"),
        (params(resourceVersionMatch="Odd", resourceVersion="1"), False, "resourceVersionMatch"),
        (params(resourceVersionMatch="NotOlderThan", resourceVersion="1"), True, "resourceVersionMatch"),
        (params(sendInitialEvents="true"), True, "resourceVersionMatch"),
        (params(sendInitialEvents="true"), False, "sendInitialEvents"),
    ],
)
def test_list_options_that_do_not_go_together_are_invalid(given: Any, watch: bool, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_list_options(given, watch=watch)
    assert fields_of(raised.value) == [field]


def test_a_watch_from_nowhere_begins_with_what_is_there() -> None:
    assert parse_list_options({}, watch=True).send_initial_events is True
    assert parse_list_options(params(resourceVersion="0"), watch=True).send_initial_events is True
    assert parse_list_options(params(resourceVersion="7"), watch=True).send_initial_events is None
    asked = params(sendInitialEvents="false", resourceVersionMatch="NotOlderThan")
    assert parse_list_options(asked, watch=True).send_initial_events is False


def test_only_0_and_false_are_false() -> None:
    read = {text: parse_list_options(params(allowWatchBookmarks=text)).bookmarks for text in ("", "no", "FALSE", "0")}
    assert read == {"": True, "no": True, "FALSE": False, "0": False}


def test_numbers_are_refused_in_go_s_words() -> None:
    with pytest.raises(BadRequest, match=r'strconv\.ParseInt: parsing "abc": invalid syntax'):
        parse_list_options(params(limit="abc"))
    assert (require_uint(""), require_uint("17")) == (0, 17)
    with pytest.raises(BadResourceVersion) as raised:
        require_uint("-1")
    assert (raised.value.code, "reason" in raised.value.status()) == (500, False)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (params(dryRun="Wrong"), "dryRun"),
        (params(fieldValidation="Odd"), "fieldValidation"),
        (params(force="true"), "force"),
        (params(fieldManager="m" * 129), "fieldManager"),
        (params(fieldManager="é" * 65), "fieldManager"),
        (params(fieldManager="a\x07b"), "fieldManager"),
    ],
)
def test_write_options_are_checked(given: Any, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_write_options(given, "PatchOptions")
    assert fields_of(raised.value) == [field]
    assert not parse_write_options(params(force="true"), "CreateOptions").force


def test_apply_must_name_its_manager() -> None:
    with pytest.raises(Invalid) as raised:
        parse_write_options({}, "PatchOptions", apply=True)
    assert fields_of(raised.value) == ["fieldManager"]
    assert parse_write_options(params(fieldManager="m", force="true"), "PatchOptions", apply=True).force


def test_delete_options_come_from_the_body_or_the_query() -> None:
    assert parse_delete_options(params(gracePeriodSeconds="0", propagationPolicy="Orphan"), None) == DeleteOptions(
        grace_period_s=0, propagation="Orphan"
    )
    body = {"gracePeriodSeconds": 5, "preconditions": {"uid": "u"}, "dryRun": ["All"]}
    assert parse_delete_options(params(gracePeriodSeconds="0"), body) == DeleteOptions(
        dry_run=True, grace_period_s=5, uid="u"
    )
    assert parse_delete_options({}, {"orphanDependents": False}).propagation == "Background"


@pytest.mark.parametrize(
    "body", [{"propagationPolicy": "Odd"}, {"propagationPolicy": "Orphan", "orphanDependents": True}]
)
def test_wrong_propagation_is_invalid(body: Any) -> None:
    with pytest.raises(Invalid) as raised:
        parse_delete_options({}, body)
    assert fields_of(raised.value) == ["propagationPolicy"]
