"""Which form of discovery is answered."""

import pytest

from kubepy.apiserver.endpoints.paths import aggregated_media
from kubepy.apiserver.http.negotiation import JSON, PROTOBUF

AGGREGATED = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BETA = AGGREGATED.replace("v=v2", "v=v2beta1")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", None),
        (JSON, None),
        (f"{JSON}{AGGREGATED},{JSON}", JSON),
        (f"{JSON},{JSON}{AGGREGATED}", None),
        (f"{JSON};as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", JSON),
        (f"{JSON}{BETA},{JSON}", None),
        (f"{JSON}{AGGREGATED},{JSON}{BETA},{JSON}", JSON),
        (f"{JSON}{BETA},{JSON}{AGGREGATED}", JSON),
        (f"{PROTOBUF}{AGGREGATED}", PROTOBUF),
        (f"{PROTOBUF}{AGGREGATED},{JSON}{AGGREGATED}", JSON),
        (f"{PROTOBUF}{AGGREGATED},*/*", PROTOBUF),
        (f"{PROTOBUF},*/*", None),
    ],
)
def test_what_is_asked_for_first_is_answered(accept: str, media: str | None) -> None:
    assert aggregated_media(accept) == media
