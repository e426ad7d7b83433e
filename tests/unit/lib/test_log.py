"""Log lines: a fact and its fields, as a person and a machine can read them."""

import json
import logging
import subprocess
import sys

import pytest

from kubepy.lib import log

SAID = """
from kubepy.lib import log
log.setup({verbosity}, "test", {form!r})
logger = log.get("kubepy.part")
logger.debug("detail")
logger.info("scaled", key="default/web", old=2, new=5)
logger.warning("odd", why="two words", empty="")
try:
    raise ValueError("broken")
except ValueError:
    logger.exception("failed", key="a=b")
"""


def said(verbosity: int, form: str = "text") -> list[str]:
    """What a process writes that logs; its setup is for the whole process."""
    command = [sys.executable, "-c", SAID.format(verbosity=verbosity, form=form)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_has_level_time_component_fact_and_fields() -> None:
    lines = said(0)
    level, rest = lines[0][0], lines[0][1:].split("] ")
    assert level == "I"
    assert rest[0].endswith(" test")
    assert rest[1] == "scaled key=default/web old=2 new=5"
    assert lines[1].endswith('] odd why="two words" empty=""')


def test_an_exception_comes_with_its_trace() -> None:
    lines = said(0)
    (at,) = [number for number, line in enumerate(lines) if line.startswith("E")]
    assert lines[at].endswith('failed key="a=b"')
    assert lines[at + 1].startswith("Traceback")
    assert lines[-1] == "ValueError: broken"


@pytest.mark.parametrize(("verbosity", "told"), [(0, False), (3, False), (4, True)])
def test_details_are_told_from_verbosity_four(verbosity: int, told: bool) -> None:
    assert any("detail" in line for line in said(verbosity)) is told


@pytest.mark.parametrize(
    ("value", "text"),
    [("plain", "plain"), (7, "7"), ("", '""'), ("a b", '"a b"'), ('"', '"\\""'), ("a\nb", '"a\\nb"'), (None, "None")],
)
def test_a_field_never_breaks_its_line(value: object, text: str) -> None:
    assert log.render_field(value) == text


def test_a_level_that_is_off_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Loud:
        def __str__(self) -> str:
            raise AssertionError("rendered for nobody")

    caplog.set_level(logging.WARNING, "kubepy.quiet")
    log.get("kubepy.quiet").info("nothing", field=Loud())
    assert not caplog.records


def test_a_line_may_be_an_object() -> None:
    scaled, odd, failed = [json.loads(line) for line in said(0, "json")]
    assert (scaled["msg"], scaled["v"], scaled["key"], scaled["new"]) == ("scaled", 0, "default/web", 5)
    assert scaled["ts"] > 1e12
    assert scaled["caller"].endswith("/<string>:6")
    assert odd["why"] == "two words"
    assert (failed["msg"], failed["err"], "v" in failed) == ("failed", "broken", False)
    assert failed["stacktrace"].startswith("Traceback")
