"""When an object is as a manifest says, and what is sent when it is not."""

from kubepy_object import covers, difference, prepared, shown, title


def test_what_the_server_filled_in_does_not_count() -> None:
    current = {"spec": {"replicas": 2, "paused": False, "ports": [{"port": 53, "protocol": "UDP"}]}, "status": {}}
    assert covers(current, {"spec": {"replicas": 2, "ports": [{"port": 53}]}})


def test_another_number_of_items_differs() -> None:
    assert not covers({"a": [1, 2]}, {"a": [1]})


def test_nothing_asked_for_is_there_when_the_server_left_it_out() -> None:
    assert covers({}, {"labels": {}, "args": [], "note": ""})


def test_the_patch_holds_what_differs_and_lists_whole() -> None:
    current = {"spec": {"replicas": 1, "args": ["a"], "other": 1}}
    assert difference(current, {"spec": {"replicas": 1, "args": ["a", "b"]}}) == {"spec": {"args": ["a", "b"]}}
    assert difference(current, {"spec": {"replicas": 1}}) is None


def test_a_secret_is_compared_encoded_and_shown_without_values() -> None:
    secret = prepared({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"token": "abc"}})
    assert secret["data"] == {"token": "YWJj"}
    assert "YWJj" not in shown(secret)
    assert "(hidden)" in shown(secret)


def test_titles_are_what_a_person_would_say() -> None:
    assert title({"kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}) == "Pod/b/a"
