"""Names: what passes, and that what does not is told in upstream's words."""

import pytest

from kubepy.api import names


@pytest.mark.parametrize("good", ["a", "a-b", "0a", "x" * 63])
def test_labels_that_pass(good: str) -> None:
    assert names.is_dns1123_label(good) == []


@pytest.mark.parametrize("bad", ["", "A", "-a", "a-", "a_b", "é", "a\n"])
def test_labels_that_do_not_pass_are_told_the_pattern(bad: str) -> None:
    assert names.is_dns1123_label(bad) == [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    ]


def test_a_long_label_is_told_its_limit() -> None:
    assert names.is_dns1123_label("a" * 64) == ["must be no more than 63 characters"]


def test_a_subdomain_that_is_no_label_has_dots() -> None:
    assert names.is_dns1123_label("a.b") == ["must not contain dots"]


def test_a_subdomain_may_have_dots_but_no_empty_part() -> None:
    assert names.is_dns1123_subdomain("a.b-c.d") == []
    assert len(names.is_dns1123_subdomain("a..b")) == 1


def test_an_old_label_may_not_begin_with_a_digit() -> None:
    assert names.is_dns1035_label("a1") == []
    assert len(names.is_dns1035_label("1a")) == 1


@pytest.mark.parametrize("good", ["a", "A.b_c-d", "example.com/a", "x" * 63])
def test_qualified_names_that_pass(good: str) -> None:
    assert names.is_qualified_name(good) == []


@pytest.mark.parametrize(
    ("bad", "begins"),
    [
        ("", "name part must be non-empty"),
        ("/a", "prefix part must be non-empty"),
        ("A/a", "prefix part a lowercase RFC 1123 subdomain"),
        ("a/", "name part must be non-empty"),
        ("a/b/c", "a valid label key must consist of"),
        ("a b", "name part must consist of"),
        ("x" * 64, "name part must be no more than 63 bytes"),
    ],
)
def test_qualified_names_that_do_not_pass(bad: str, begins: str) -> None:
    assert names.is_qualified_name(bad)[0].startswith(begins)


def test_a_label_value_may_be_empty_but_not_end_in_a_dot() -> None:
    assert names.is_label_value("") == []
    assert len(names.is_label_value("a.")) == 1


def test_lengths_at_their_limits() -> None:
    for check, limit, unit in (
        (names.is_label_value, 63, "bytes"), (names.is_qualified_name, 63, "bytes"),
        (names.is_dns1123_label, 63, "characters"), (names.is_dns1035_label, 63, "characters"),
        (names.is_dns1123_subdomain, 253, "characters"), (names.is_config_key, 253, "characters"),
    ):  # fmt: skip
        assert check("a" * limit) == []
        assert f"must be no more than {limit} {unit}" in check("a" * (limit + 1))[0]


@pytest.mark.parametrize("bad", [".", "..", "..a"])
def test_a_config_key_does_not_climb_out_of_its_directory(bad: str) -> None:
    assert len(names.is_config_key(bad)) == 1


def test_an_environment_variable_may_be_any_printable_text_without_an_equals_sign() -> None:
    assert names.is_env_var_name("my.var with space") == []
    assert len(names.is_env_var_name("a=b")) == 1
    assert names.is_env_var_name("") == ["environment variable name must be non-empty"]


def test_user_and_group_ids() -> None:
    assert names.is_user_id(2**31 - 1) == []
    assert names.is_group_id(-1) == ["must be between 0 and 2147483647, inclusive"]


def test_port_names() -> None:
    assert names.is_port_name("http-1") == []
    assert names.is_port_name("123") == ["must contain at least one letter (a-z)"]
    assert names.is_port_name("a--b") == ["must not contain consecutive hyphens"]
    assert names.is_port_name("-a") == ["must not begin or end with a hyphen"]
    assert names.is_port_name("a" * 16) == ["must be no more than 15 characters"]


def test_port_numbers() -> None:
    assert names.is_port_number(65535) == []
    assert names.is_port_number(0) == ["must be between 1 and 65535, inclusive"]


@pytest.mark.parametrize("bad", ["", "1.2.3", "1.2.3.256", "01.2.3.4", "fe80::1%eth0", "a"])
def test_addresses_that_go_would_not_parse(bad: str) -> None:
    assert len(names.is_ip(bad)) == 1


def test_addresses_and_networks() -> None:
    assert names.is_ip("10.0.0.1") == names.is_ip("fd00::1") == names.is_ipv4("10.0.0.1") == names.is_ipv6("::1") == []
    assert len(names.is_ipv4("::1")) == len(names.is_ipv6("10.0.0.1")) == 1
    assert names.is_cidr("10.0.0.0/8") == names.is_cidr("fd00::/8") == []
    assert len(names.is_cidr("10.0.0.0/33")) == len(names.is_cidr("10.0.0.0")) == 1


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("010.0.0.1", "must not have leading 0s"),
        ("::ffff:10.0.0.1", "must not be an IPv4-mapped IPv6 address"),
        ("10.0.0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    ],
)
def test_an_address_that_programs_read_differently_is_none(address: str, fault: str) -> None:
    assert names.is_ip(address) == [fault]


@pytest.mark.parametrize(
    ("cidr", "fault"),
    [
        ("10.0.0.1/8", "must not have bits set beyond the prefix length"),
        ("010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("::ffff:10.0.0.0/104", "must not have an IPv4-mapped IPv6 address"),
        ("10.0.0.0/", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    ],
)
def test_a_network_that_programs_read_differently_is_none(cidr: str, fault: str) -> None:
    assert names.is_cidr(cidr) == [fault]


def test_a_canonical_network_has_one_spelling() -> None:
    assert names.is_canonical_cidr("fd00::/64") == []
    assert names.is_canonical_cidr("FD00:0::/64") == ['must be in canonical form ("fd00::/64")']
    assert names.is_canonical_cidr("10.0.0.1/8") == ["must not have bits set beyond the prefix length"]


def test_a_generated_name_may_end_in_a_dash() -> None:
    check = names.without_trailing_dash(names.is_dns1123_label)
    assert check("web-") == []
    assert len(check("Web-")) == 1


def test_path_segments() -> None:
    assert names.is_path_segment_name("system:node") == []
    assert names.is_path_segment_name("..") == ["may not be '..'"]
    assert names.is_path_segment_name("a/b") == ["may not contain '/'"]


def test_domain_prefixed_paths() -> None:
    assert names.is_domain_prefixed_path("example.com/a/b") == []
    assert names.is_domain_prefixed_path("a") == ['must be a domain-prefixed path (such as "acme.io/foo")']
    assert names.is_domain_prefixed_path("a.b/ c")[0].startswith("Invalid path (regex used for validation is")
