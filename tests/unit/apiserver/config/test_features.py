"""Features by their gates."""

from kubepy.apiserver.config.features import IMPERSONATION, feature_faults, is_enabled, without_effect


def test_a_feature_is_on_until_it_is_turned_off() -> None:
    assert is_enabled({}, IMPERSONATION)
    assert is_enabled({IMPERSONATION: "true"}, IMPERSONATION)
    assert not is_enabled({IMPERSONATION: "False"}, IMPERSONATION)
    assert not is_enabled({IMPERSONATION: "0"}, IMPERSONATION)


def test_what_nothing_depends_on_is_told() -> None:
    assert without_effect({"Some": "true", IMPERSONATION: "false", "Any": "false"}) == ["Any", "Some"]


def test_a_gate_is_open_or_not() -> None:
    assert [*feature_faults({"Some": "maybe", "Any": "true"})] == [
        'invalid value of Some=maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax'
    ]
