"""What a daemon says on its health port."""

import pytest

from kubepy.lib.health import render_checks


def test_all_is_well_in_one_word() -> None:
    answer = render_checks("/healthz", "", {"ping": lambda: None})
    assert (answer.status, answer.body) == (200, b"ok")


def test_a_failing_check_is_named_and_fails_the_whole() -> None:
    answer = render_checks("/readyz", "", {"ping": lambda: None, "rules": lambda: "rules are behind"})
    assert answer.status == 500
    assert answer.body == b"[+]ping ok\n[-]rules failed: rules are behind\nreadyz check failed\n"


@pytest.mark.parametrize(("path", "status"), [("/livez/ping", 200), ("/livez/rules", 500), ("/livez/none", 404)])
def test_a_check_can_be_asked_alone(path: str, status: int) -> None:
    assert render_checks(path, "", {"ping": lambda: None, "rules": lambda: "behind"}).status == status


def test_verbose_tells_what_is_well_too() -> None:
    assert render_checks("/livez", "verbose", {"ping": lambda: None}).body == b"[+]ping ok\nlivez check passed\n"
