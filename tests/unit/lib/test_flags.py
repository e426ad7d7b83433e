"""Command lines in upstream's spelling."""

import re

import pytest

from kubepy.lib.flags import Flag, FlagError, parse, parse_duration

FLAGS = (
    Flag("port", "int", 6443, ""),
    Flag("leader-elect", "bool", True, ""),
    Flag("bind-address", "string", "0.0.0.0", ""),
    Flag("controllers", "list", ["*"], ""),
    Flag("node-labels", "map", {}, ""),
    Flag("timeout", "duration", 60.0, ""),
)


def test_values_follow_an_equals_sign_or_the_next_word() -> None:
    found = parse(FLAGS, ["--port=1", "--bind-address", "::1"])
    assert (found["port"], found["bind-address"], found["timeout"]) == (1, "::1", 60.0)


@pytest.mark.parametrize(("word", "value"), [("--leader-elect", True), ("--leader-elect=false", False)])
def test_a_switch_needs_no_value(word: str, value: bool) -> None:
    assert parse(FLAGS, [word])["leader-elect"] is value


def test_underscores_count_as_dashes() -> None:
    assert parse(FLAGS, ["--bind_address=x"])["bind-address"] == "x"


def test_lists_and_maps_add_up() -> None:
    found = parse(FLAGS, ["--controllers=a,b", "--controllers=-c", "--node-labels=x=1,y=2", "--node-labels=z=3"])
    assert found["controllers"] == ["a", "b", "-c"]
    assert found["node-labels"] == {"x": "1", "y": "2", "z": "3"}


def test_every_fault_is_told() -> None:
    with pytest.raises(FlagError) as refused:
        parse(FLAGS, ["--nonsense=1", "--port=many", "--timeout", "5"])
    assert refused.value.faults[0] == "unknown flag: --nonsense"
    assert [f.split(":")[0] for f in refused.value.faults[1:]] == [
        'invalid argument "many" for "--port" flag',
        'invalid argument "5" for "--timeout" flag',
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("1m30s", 90), ("1.5h", 5400), ("300ms", 0.3), ("-5s", -5), ("2h45m", 9900)]
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("s", 'time: invalid duration "s"'),
        ("9223372037s", 'time: invalid duration "9223372037s"'),
        ("1x", 'time: unknown unit "x" in duration "1x"'),
        ("1m 30s", 'time: unknown unit "m " in duration "1m 30s"'),
        ("1.s.", 'time: invalid duration "1.s."'),
    ],
)
def test_what_go_would_not_parse_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        parse_duration(text)


def test_pairs_may_have_commas() -> None:
    flags = [Flag("allow", "pairs", {}, "")]
    assert parse(flags, ["--allow=metric,label=a,b"])["allow"] == {"metric,label": "a,b"}
    assert parse(flags, ["--allow", '"m,l=a,b","m,k=c"', "--allow=n,l=d"])["allow"] == {
        "m,l": "a,b", "m,k": "c", "n,l": "d",
    }  # fmt: skip
    with pytest.raises(FlagError, match="metric must be formatted as key=value"):
        parse(flags, ["--allow=metric"])


@pytest.mark.parametrize("words", [["-v4"], ["-v=4"], ["-v", "4"], ["--v=4"]])
def test_verbosity_has_a_short_form(words: list[str]) -> None:
    assert parse([Flag("v", "int", 0, "")], words) == {"v": 4}
