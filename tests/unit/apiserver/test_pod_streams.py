"""Which logs are asked for in a way that makes no sense."""

import pytest

from kubepy.api.errors import BadRequest, Invalid
from kubepy.apiserver.pod_streams import check_log_options


@pytest.mark.parametrize(
    ("options", "field", "why"),
    [
        ({"tailLines": "-1"}, "tailLines", "must be greater than or equal to 0"),
        ({"limitBytes": "0"}, "limitBytes", "must be greater than 0"),
        ({"sinceSeconds": "0"}, "sinceSeconds", "must be greater than 0"),
        ({"sinceSeconds": "1", "sinceTime": "2026-01-01T00:00:00Z"}, "", "at most one of `sinceTime` or `sinceSecon"),
        ({"stream": "Odd"}, "stream", 'supported values: "All", "Stderr", "Stdout"'),
        ({"stream": "Stdout", "tailLines": "1"}, "", "are mutually exclusive for now"),
    ],
)
def test_senseless_options_are_invalid(options: dict[str, str], field: str, why: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_log_options({name: [text] for name, text in options.items()}, "p")
    (cause,) = raised.value.details["causes"]
    assert cause["field"] == field
    assert why in cause["message"]


@pytest.mark.parametrize("options", [{"tailLines": "x"}, {"sinceTime": "yesterday"}])
def test_what_cannot_be_read_is_a_bad_request(options: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        check_log_options({name: [text] for name, text in options.items()}, "p")


def test_sensible_options_pass() -> None:
    check_log_options({"tailLines": ["0"], "limitBytes": ["1"], "sinceTime": ["2026-01-01T00:00:00Z"]}, "p")
