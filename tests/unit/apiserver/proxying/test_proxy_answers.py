"""What a proxied server's answer may say."""

import pytest

from kubepy.apiserver.proxying.proxy_answers import pass_on, rewritten_location
from kubepy.lib.http import Request, Response

PREFIX = "/api/v1/namespaces/a/pods/p/proxy"
HOSTS = ("", "10.0.0.1:80", "api:6443")


@pytest.mark.parametrize(
    ("location", "rewritten"),
    [
        ("/login?next=%2F", f"{PREFIX}/login?next=%2F"),
        ("/dir/", f"{PREFIX}/dir/"),
        ("http://10.0.0.1:80/login", f"{PREFIX}/login"),
        (f"https://api:6443{PREFIX}/login", f"{PREFIX}/login"),
        ("login", "login"),
        ("https://elsewhere/login", "https://elsewhere/login"),
    ],
)
def test_redirects_stay_below_the_proxy(location: str, rewritten: str) -> None:
    assert rewritten_location(location, PREFIX, HOSTS) == rewritten


def test_grants_to_other_origins_are_not_passed_on() -> None:
    answer = Response(302, b"", "", {"Access-Control-Allow-Origin": "*", "Location": "/b/", "X-Kept": "yes"})
    pass_on(answer, Request("GET", f"{PREFIX}/a"), "/a", "10.0.0.1:80")
    assert dict(answer.headers) == {"Location": f"{PREFIX}/b/", "X-Kept": "yes"}
