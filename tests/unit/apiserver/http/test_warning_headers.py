"""Warnings as headers."""

from kubepy.apiserver.http.warning_headers import warning_headers


def test_each_is_told_once_and_quoted() -> None:
    assert warning_headers(['unknown field "a"', "", 'unknown field "a"', "b\\c"]) == [
        '299 - "unknown field \\"a\\""',
        '299 - "b\\\\c"',
    ]


def test_what_no_header_can_hold_is_left_out() -> None:
    assert warning_headers(["one\ntwo", "three"]) == ['299 - "three"']


def test_too_much_is_cut() -> None:
    texts = [f"{number:03}{'x' * 400}" for number in range(30)]
    told = warning_headers(texts)
    assert all(len(header) == len('299 - ""') + 256 for header in told)
    assert 4096 <= sum(len(header) - len('299 - ""') for header in told) < 4096 + 512
    assert warning_headers(texts[:10]) == [f'299 - "{text}"' for text in texts[:10]]
