"""Kubernetes' libraries of CEL answer as their documentation says."""

from typing import Any

import pytest

from kubepy.apiserver.cel.environment import Environment
from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.library.authorizer import Authorizer, Question, Verdict

ENVIRONMENT = Environment({"authorizer": "kubernetes.authorization.Authorizer", "text": "string"})


def value_of(expression: str, **bindings: Any) -> Any:
    return ENVIRONMENT.compile(expression).evaluate(bindings)


@pytest.mark.parametrize(
    "expression",
    [
        # lists
        "[1, 2, 3].isSorted() && !['b', 'a'].isSorted()",
        "[1, 3].sum() == 4 && [1.0, 3.0].sum() == 4.0 && [duration('1m'), duration('1s')].sum() == duration('61s')",
        "[1, 3].min() == 1 && ['a', 'b'].max() == 'b'",
        "[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(3) == -1",
        "[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sort() == ['a', 'b'] && [3, 1, 2].reverse() == [2, 1, 3]",
        "['ccc', 'a', 'bb'].sortBy(e, -e.size()) == ['ccc', 'bb', 'a'] && [1].filter(i, i > 1).sort() == []",
        "[1, 2, 2, 1].distinct() == [1, 2] && lists.range(3) == [0, 1, 2] && [1, 2, 3].slice(1, 3) == [2, 3]",
        "[[1], [2, 3]].flatten() == [1, 2, 3] && [[[1]], [[2]]].flatten(2) == [1, 2]",
        "[1, 2].first().value() == 1 && [1, 2].last() == optional.of(2) && !''.split('').first().hasValue()",
        "optional.unwrap([optional.of(1), optional.none()]) == [1] && [optional.of('a')].unwrapOpt() == ['a']",
        # regex
        "'hello123'.find('[0-9]+') == '123' && 'none'.find('[0-9]+') == ''",
        "'a1b2c3'.findAll('([a-z])[0-9]') == ['a1', 'b2', 'c3'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
        r"'a(b'.find(r'a\(b') == 'a(b' && '(x)'.find('[(]x[)]') == '(x)'",
        # urls
        "isURL('https://u:p@example.com:80/path?query=val#fragment') && isURL('/absolute')",
        "!isURL('https://a:b:c/') && !isURL('../relative')",
        "url('https://example.com:80/').getHost() == 'example.com:80' && url('/p').getHost() == ''",
        "url('https://[::1]:80/').getHostname() == '::1' && url('https://[::1]:80/').getPort() == '80'",
        "url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'",
        "url('https://example.com/p?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}",
        # quantities
        "quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('50Mi').isGreaterThan(quantity('50M'))",
        "quantity('50k').add(20).sub(quantity('100k')).sub(-50000) == quantity('20')",
        "quantity('50k').asInteger() == 50000 && !quantity('0.5').isInteger() && sign(quantity('-1')) == -1",
        "isQuantity('1.3Gi') && !isQuantity('200K')",
        # addresses
        "ip('127.0.0.1').family() == 4 && ip('::1').isLoopback() && !isIP('127.0.0.256')",
        "ip('169.254.169.254').isLinkLocalUnicast() && !ip('255.255.255.255').isGlobalUnicast()",
        "ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.1.1').isLinkLocalMulticast()",
        "ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')",
        "cidr('192.168.0.0/24').containsIP('192.168.0.1') && !cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))",
        "cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24') && cidr('192.168.0.0/16').prefixLength() == 16",
        "cidr('192.168.0.1/24') != cidr('192.168.0.1/24').masked() && string(cidr('::1/128').ip()) == '::1'",
        "isCIDR('::1/128') && !isCIDR('::1/129') && !isCIDR('1.2.3.4')",
        # formats
        "format.dns1123Label().validate('my-label') == optional.none()",
        "format.named('dns1035Label').value().validate('9').hasValue() && !format.named('x').hasValue()",
        "format.uuid().validate('123e4567-e89b-12d3-a456-426614174000') == optional.none()",
        "format.date().validate('2021-13-01').value() == ['invalid date']",
        # versions
        "semver('1.2.3').compareTo(semver('2.0.0')) == -1 && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))",
        "isSemver('v1.0', true) && !isSemver('v1.0') && semver('01.01.01', true).patch() == 1",
        # strings
        "'abc'.charAt(1) == 'b' && 'abcb'.indexOf('b', 2) == 3 && 'abcb'.lastIndexOf('b') == 3",
        "' a '.trim() == 'a' && 'TacoCat'.lowerAscii() == 'tacocat' && 'é'.upperAscii() == 'é'",
        "'hello hello'.replace('he', 'we', 1) == 'wello hello' && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "['a', 'b'].join('-') == 'a-b' && 'tacocat'.substring(0, 4) == 'taco'",
        "'%s has %d (%.1f%%), %x, %b'.format(['a', 3, 2.5, 255, 5]) == 'a has 3 (2.5%), ff, 101'",
        "'%s'.format([[1, null, true, duration('90s'), {'b': 1.5}]]) == '[1, null, true, 90s, {b: 1.5}]'",
        # sets
        "sets.contains([1, 2], [1]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])",
        # times
        "timestamp('2023-12-25T00:00:00.5-08:00').getMilliseconds() == 500",
        "timestamp('2023-12-25T12:00:00Z').getHours('America/Los_Angeles') == 4",
        "timestamp('2023-01-01T01:00:00Z') - timestamp('2023-01-01T00:00:00Z') == duration('1h')",
        "string(timestamp('2023-01-01T00:00:00Z') + duration('90m')) == '2023-01-01T01:30:00Z'",
        "duration('1h30m').getMinutes() == 90 && string(duration('-1.5s')) == '-1.5s'",
        # conversions
        "int('12') == 12 && int(-1.9) == -1 && uint(1) == 1u && double('1e3') == 1000.0",
        "string(1.0) == '1' && string(0.25) == '0.25' && string(true) == 'true' && bytes('a') == b'a'",
    ],
)  # fmt: skip
def test_library(expression: str) -> None:
    assert value_of(expression) is True


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("quantity('Three')", "quantities must match the regular expression"),
        ("ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ("url('../x')", 'URL parse error during conversion from string: parse "../x": invalid URI for request'),
        ("text.matches('[' + text)", "error parsing regexp: missing closing ]"),
        ("semver('1.0')", "No Major.Minor.Patch elements found"),
        ("duration('x' + text)", "type conversion error from 'string' to 'google.protobuf.Duration'"),
        ("int('x' + text)", "type conversion error from 'string' to 'int'"),
        ("text.substring(2)", "index out of range: 2"),
        ("authorizer.path(' ')", "path must not be empty"),
    ],
)
def test_library_refuses(expression: str, message: str) -> None:
    authorizer = Authorizer(lambda question: Verdict(True))
    with pytest.raises(EvaluationError) as raised:
        value_of(expression, text="a", authorizer=authorizer)
    assert raised.value.message.startswith(message)


def test_authorizer_asks_what_the_expression_says() -> None:
    asked: list[Question] = []

    def judge(question: Question) -> Verdict:
        asked.append(question)
        return Verdict(question.verb == "create", reason="because")

    authorizer = Authorizer(judge)
    check = "authorizer.group('apps').resource('deployments').subresource('scale').namespace('ns').name('web')"
    assert value_of(f"{check}.check('create').allowed()", authorizer=authorizer) is True
    assert value_of("authorizer.path('/healthz').check('get').reason()", authorizer=authorizer) == "because"
    check = "authorizer.serviceAccount('ns', 'robot').group('').resource('pods').labelSelector('a=b').check('list')"
    assert value_of(f"{check}.errored()", authorizer=authorizer) is False
    assert asked == [
        Question("create", group="apps", resource="deployments", subresource="scale", namespace="ns", name="web"),
        Question("get", path="/healthz"),
        Question("list", resource="pods", label_selector="a=b", service_account=("ns", "robot")),
    ]
