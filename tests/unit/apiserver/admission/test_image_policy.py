"""What another server says of images, and what happens while it says nothing."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from kubepy.api import resources
from kubepy.api.errors import Forbidden
from kubepy.apiserver.admission.attributes import ANNOTATIONS, Attributes
from kubepy.apiserver.admission.image_policy import ImagePolicy, ImagePolicyWebhook, parse_image_policy
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.webhooks.client import ANSWER_MOST, CallError
from kubepy.apiserver.webhooks.target import Target

Object = dict[str, Any]
HERE = Target(url="https://images.example/review")


class Webhooks:
    """Answers with `status`; None: not at all. `asked` are the reviews."""

    def __init__(self, status: Object | None) -> None:
        self.status = status
        self.asked: list[Object] = []

    async def call(
        self, target: Target, review: Object, *, timeout_s: float | None = None, most: int = ANSWER_MOST
    ) -> Object:
        self.asked.append(review)
        if self.status is None:
            raise CallError(f'Post "{target.url}": EOF')
        return {**review, "status": self.status}


def pod(subresource: str = "") -> Attributes:
    annotations = {"a.image-policy.k8s.io/ticket": "1", "other": "2"}
    spec = {
        "initContainers": [{"name": "i", "image": "init"}],
        "containers": [{"name": "c", "image": "main"}],
        "ephemeralContainers": [{"name": "e", "image": "debug"}],
    }
    obj = {"metadata": {"name": "web", "namespace": "default", "annotations": annotations}, "spec": spec}
    resource = resources.named("pods")
    return Attributes("CREATE", resource, subresource, "default", "web", obj, None, UserInfo("alice"), scratch={})


def ask(webhooks: Webhooks, *attributes: Attributes, default_allow: bool = False) -> None:
    async def main() -> None:
        plugin = ImagePolicyWebhook(ImagePolicy(target=HERE, default_allow=default_allow), webhooks)
        for one in attributes:
            await plugin.validate(one)

    asyncio.run(main())


def test_the_images_and_what_is_meant_for_policies_are_shown_once() -> None:
    webhooks = Webhooks({"allowed": True, "auditAnnotations": {"by": "me"}})
    first = pod()
    ask(webhooks, first, pod(), pod("ephemeralcontainers"))
    assert [review["spec"] for review in webhooks.asked] == [
        {
            "containers": [{"image": "main"}, {"image": "init"}],
            "annotations": {"a.image-policy.k8s.io/ticket": "1"},
            "namespace": "default",
        },
        {
            "containers": [{"image": "debug"}],
            "annotations": {"a.image-policy.k8s.io/ticket": "1"},
            "namespace": "default",
        },
    ]
    assert (webhooks.asked[0]["kind"], webhooks.asked[0]["apiVersion"]) == (
        "ImageReview",
        "imagepolicy.k8s.io/v1alpha1",
    )
    assert first.scratch == {ANNOTATIONS: {"imagepolicywebhook.image-policy.k8s.io/by": "me"}}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"allowed": False, "reason": "too old"}, "image policy webhook backend denied one or more images: too old"),
        ({}, "one or more images rejected by webhook backend"),
        (None, 'Post "https://images.example/review": EOF'),
    ],
)
def test_a_pod_with_other_images_is_refused(status: Object | None, why: str) -> None:
    with pytest.raises(Forbidden, match=re.escape(f'pods "web" is forbidden: {why}')):
        ask(Webhooks(status), pod())


def test_pods_run_while_nobody_answers_only_where_that_is_wanted() -> None:
    attributes = pod()
    ask(Webhooks(None), attributes, default_allow=True)
    assert attributes.scratch == {ANNOTATIONS: {"imagepolicywebhook.image-policy.k8s.io/failed-open": "true"}}


def test_the_file_says_how_long_answers_are_good(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://images.example/review"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
"""
    )
    told = {"kubeConfigFile": str(path), "allowTTL": 50, "denyTTL": -1, "retryBackoff": 250, "defaultAllow": True}
    found = parse_image_policy({"imagePolicy": told})
    assert found == ImagePolicy(target=HERE, allow_ttl_s=50.0, deny_ttl_s=0.0, first_pause_s=0.25, default_allow=True)
    with pytest.raises(ValueError, match="valid value for allowTTL is between 1s and 1800s, got 1801s"):
        parse_image_policy({"imagePolicy": {**told, "allowTTL": 1801}})
    with pytest.raises(ValueError, match="kubeConfigFile is required"):
        parse_image_policy({})
