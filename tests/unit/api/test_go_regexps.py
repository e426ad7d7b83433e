import pytest

from kubepy.api.go_regexps import regexp_fault

LONG = "9" * 5000


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("*", "missing argument to repetition operator: `*`"),
        ("a|+?b", "missing argument to repetition operator: `+?`"),
        ("(?:{2})", "missing argument to repetition operator: `{2}`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a++b", "invalid nested repetition operator: `++`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        (f"a{{{LONG}}}", f"invalid repeat count: `{{{LONG}}}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("(a{100}b){100}", "invalid repeat count: `{100}`"),
        ("(abc", "missing closing ): `(abc`"),
        ("abc)", "unexpected ): `abc)`"),
        ("x[a-z", "missing closing ]: `[a-z`"),
        ("[]", "missing closing ]: `[]`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:odd:]]", "invalid character class range: `[:odd:]`"),
        (r"\p{lower}", r"invalid character class range: `\p{lower}`"),
        (r"\p{Greek", r"invalid character class range: `\p{Greek`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        ("abc\\", "trailing backslash at end of expression: ``"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        (r"a\Z", r"invalid escape sequence: `\Z`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\u0041", r"invalid escape sequence: `\u`"),
        (r"\xfg", r"invalid escape sequence: `\xfg`"),
        (rf"\x{{{'0' * 50_000}", rf"invalid escape sequence: `\x{{{'0' * 50_000}`"),
        (r"\x{11g}", r"invalid escape sequence: `\x{11g`"),
        ("a(?!b)", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?-)a", "invalid or unsupported Perl syntax: `(?-)`"),
        ("(?<=a)b", "invalid named capture: `(?<=a)b`"),
        ("(?P<a b>c)", "invalid named capture: `(?P<a b>`"),
    ],
)
def test_faults_are_told_in_gos_words(pattern: str, told: str) -> None:
    assert regexp_fault(pattern) == f"error parsing regexp: {told}"


@pytest.mark.parametrize(
    "pattern",
    [
        "", "a|", "()*", "^*", "(|a)+?", "a{", "a{,2}", "a{01}", "a{1000}", "((a{10}){10}){10}",
        "^(?i)foo$", "(?i-s:a)", "(?P<n>a)(?<m>b)", r"\Qa**\E", r"\pL\p{^Greek}[\p{Lu}\d_-]", "[]a]", "[^]]", "[a-]",
        "[[:alpha:][:^digit:]]", r"\x41\x{10FFFF}\101\0\_\-\z", r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]+)*$",
    ],
)  # fmt: skip
def test_what_go_reads_has_no_fault(pattern: str) -> None:
    assert regexp_fault(pattern) is None
