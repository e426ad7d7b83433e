"""Validation that many kinds share."""

import pytest

from kubepy.api.validation.fields import ordinary_address


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.0.1", ""),
        ("fd00::1", ""),
        ("::ffff:10.0.0.1", ""),
        ("name", "must be a valid IP address"),
        ("127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("::ffff:127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("::ffff:169.254.169.254", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("::ffff:0.0.0.0", "may not be unspecified (::ffff:0.0.0.0)"),
        ("::ffff:224.0.0.1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ],
)
def test_an_address_of_a_machine_or_a_link_alone_is_refused_however_it_is_written(address: str, why: str) -> None:
    assert [error.message for error in ordinary_address(address, "ip")] == (
        [f'Invalid value: "{address}": {why}'] if why else []
    )
