"""Dynamic admission against real webhooks: what they are asked, what they may change, and what their words become."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvloop
from aiohttp import web

from tests.api.serving import Api, api_server, kubectl, kubectls
from tests.webhook_server import Hook, WebhookServer, admitted, patched, webhook_server

Object = dict[str, Any]
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/"
MAPS = "/api/v1/namespaces/default/configmaps"
RULE = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["configmaps"], "operations": ["*"]}


class Hooks:
    """A server under test and the webhooks that it may call."""

    def __init__(self, api: Api, server: WebhookServer) -> None:
        self.api, self.server = api, server

    async def configure(self, sort: str, name: str, *webhooks: Object) -> None:
        kind = f"{sort}WebhookConfiguration"
        body = {"apiVersion": REGISTRATION[6:-1], "kind": kind, "metadata": {"name": name}, "webhooks": list(webhooks)}
        status, answer = await self.api.call("POST", REGISTRATION + kind.lower() + "s", body)
        assert status == 201, answer

    def webhook(self, name: str, hook: Hook, **more: Any) -> Object:
        """A webhook that is answered by `hook`, about config maps where nothing else is said."""
        self.server.hooks[f"/{name}"] = hook
        return {
            "name": f"{name}.example.com",
            "clientConfig": self.server.client_config(f"/{name}"),
            "rules": [RULE],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }

    def requests(self, name: str) -> list[Object]:
        """What a webhook was asked."""
        return [review["request"] for path, review in self.server.asked if path.startswith(f"/{name}?")]


def on_hooks(folder: Path, test: Callable[[Hooks], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), api_server(folder, **settings) as api, webhook_server() as server:
            await test(Hooks(api, server))

    uvloop.run(run())


def config_map(name: str, labels: Object | None = None, **data: str) -> Object:
    meta = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def test_a_webhook_is_told_everything_about_a_write(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        await hooks.configure("Validating", "all", hooks.webhook("see", admitted))
        call = hooks.api.call
        await call("POST", MAPS + "?fieldManager=me&fieldValidation=Strict", config_map("a", x="1"))
        await call("PUT", MAPS + "/a?dryRun=All", config_map("a", x="2"))
        await call("DELETE", MAPS + "/a", {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
        made, changed, gone = hooks.requests("see")
        row = {"group": "", "version": "v1", "resource": "configmaps"}
        assert made["kind"] == made["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
        assert made["resource"] == made["requestResource"] == row
        assert (made["operation"], made["name"], made["namespace"], made["dryRun"]) == ("CREATE", "a", "default", False)
        assert made["userInfo"]["username"] == "kubernetes-admin"
        assert "system:masters" in made["userInfo"]["groups"]
        assert made["object"]["data"] == {"x": "1"}
        assert made["oldObject"] is None
        assert made["options"] == {
            "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me", "fieldValidation": "Strict",
        }  # fmt: skip
        assert (changed["object"]["data"], changed["oldObject"]["data"]) == ({"x": "2"}, {"x": "1"})
        assert changed["dryRun"] is True
        assert changed["options"]["dryRun"] == ["All"]
        assert gone["operation"] == "DELETE"
        assert gone["object"] is None
        assert gone["oldObject"]["data"] == {"x": "1"}
        assert gone["options"] == {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "gracePeriodSeconds": 0}
        assert len({request["uid"] for request in (made, changed, gone)}) == 3

    on_hooks(tmp_path, test)


def test_denials_carry_the_webhooks_own_words_code_and_warnings(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        status: Object = {}
        await hooks.configure(
            "Validating",
            "deny",
            hooks.webhook("no", lambda review: admitted(review, False, status=status, warnings=["w1"])),
        )
        wanted = [
            ({"message": "not today"}, 400, "", "denied the request: not today"),
            ({"reason": "Forbidden", "code": 403}, 403, "Forbidden", "denied the request: Forbidden"),
            ({}, 400, "", "denied the request without explanation"),
            ({"code": 200, "status": "Success", "message": "m"}, 400, "", "denied the request: m"),
        ]
        for told, code, reason, text in wanted:
            status.clear()
            status.update(told)
            async with hooks.api.session.post(hooks.api.url + MAPS, json=config_map("a")) as answer:
                found = await answer.json()
                assert answer.headers["Warning"] == '299 - "w1"'
            assert (answer.status, found["code"], found.get("reason", "")) == (code, code, reason)
            assert found["message"] == f'admission webhook "no.example.com" {text}'
            assert found["status"] == "Failure"
        assert (await hooks.api.call("GET", MAPS + "/a"))[0] == 404

    on_hooks(tmp_path, test)


def test_mutating_webhooks_patch_in_order_and_are_asked_again_when_others_changed_more(tmp_path: Path) -> None:
    def add(key: str) -> Hook:
        def answer(review: Object) -> Object:
            if key in review["request"]["object"]["data"]:
                return admitted(review)
            return patched(review, json.dumps([{"op": "add", "path": f"/data/{key}", "value": "set"}]))

        return answer

    async def test(hooks: Hooks) -> None:
        first = hooks.webhook("first", add("first"), reinvocationPolicy="IfNeeded")
        await hooks.configure("Mutating", "b", hooks.webhook("second", add("second")))
        await hooks.configure("Mutating", "a", first)
        status, made = await hooks.api.call("POST", MAPS, config_map("m", x="1"))
        assert (status, made["data"]) == (201, {"x": "1", "first": "set", "second": "set"})
        seen = [set(request["object"]["data"]) for request in hooks.requests("first")]
        assert seen == [{"x"}, {"x", "first", "second"}]
        assert [set(request["object"]["data"]) for request in hooks.requests("second")] == [{"x", "first"}]

    on_hooks(tmp_path, test)


def test_what_a_patch_leaves_is_pruned_defaulted_and_judged_like_any_object(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        patch: list[Object] = []
        pods = {**RULE, "resources": ["pods"]}
        await hooks.configure(
            "Mutating", "m", hooks.webhook("m", lambda review: patched(review, json.dumps(patch)), rules=[pods])
        )
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }  # fmt: skip
        path = "/api/v1/namespaces/default/pods"
        patch[:] = [{"op": "add", "path": "/spec/containers/-", "value": {"name": "side", "image": "s", "odd": 1}}]
        status, made = await hooks.api.call("POST", path, pod)
        side = made["spec"]["containers"][1]
        assert status == 201
        assert side["terminationMessagePath"] == "/dev/termination-log"
        assert "odd" not in side
        patch[:] = [{"op": "replace", "path": "/spec/containers/0/image", "value": ""}]
        pod["metadata"] = {"name": "q"}
        status, answer = await hooks.api.call("POST", path, pod)
        assert (status, answer["reason"]) == (422, "Invalid")
        patch[:] = [{"op": "remove", "path": "/spec/nothing"}]
        status, answer = await hooks.api.call("POST", path, pod)
        assert status == 500
        assert answer["message"].startswith("Internal error occurred: error in remove for path: '/spec/nothing': ")
        patch[:] = [{"op": "add", "path": "/spec/containers", "value": "text"}]
        status, answer = await hooks.api.call("POST", path, pod)
        assert status == 500
        assert answer["message"].startswith(
            "Internal error occurred: json: cannot unmarshal string into Go struct field "
        )
        patch[:] = [{"op": "replace", "path": "/metadata/labels/fight", "value": "true"}]
        pod["metadata"] = {"name": "q", "labels": {"x": "true"}}
        status, made = await hooks.api.call("POST", path, pod)
        assert (status, made["metadata"]["labels"]) == (201, {"x": "true", "fight": "true"})

    on_hooks(tmp_path, test)


def test_a_failing_webhook_closes_or_opens_as_its_policy_says(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        odd = [
            lambda review: web.Response(status=404),
            lambda review: {**admitted(review), "apiVersion": "admission.k8s.io/v2"},
            lambda review: admitted({**review, "request": {"uid": "other"}}),
            lambda review: {},
        ]
        texts = [
            "failed to call webhook: the server could not find the requested resource",
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, "
            "Kind=AdmissionReview, got admission.k8s.io/v2, Kind=AdmissionReview",
            "received invalid webhook response: expected response.uid=",
            "received invalid webhook response: webhook response was absent",
        ]

        def answer(review: Object) -> Any:
            return odd[0](review)

        webhook = hooks.webhook("bad", answer)
        await hooks.configure("Validating", "v", webhook)
        for text in texts:
            status, answer = await hooks.api.call("POST", MAPS, config_map("a"))
            head = 'Internal error occurred: failed calling webhook "bad.example.com": '
            assert (status, answer["reason"]) == (500, "InternalError")
            assert answer["message"].startswith(head + text)
            del odd[0]
        odd.append(lambda review: web.Response(status=500))
        counted = (await hooks.api.call("GET", "/metrics"))[1]
        labels = 'error_type="calling_webhook_error",name="bad.example.com",operation="CREATE",rejection_code="404"'
        assert f'apiserver_admission_webhook_rejection_count{{{labels},type="validating"}} 1.0' in counted
        labels = 'name="bad.example.com",operation="CREATE",rejected="true",type="validating"'
        assert f"apiserver_admission_webhook_admission_duration_seconds_count{{{labels}}} 4.0" in counted
        labels = 'operation="CREATE",rejected="true",type="validate"'
        assert f"apiserver_admission_step_admission_duration_seconds_count{{{labels}}} 4.0" in counted
        opened = {**webhook, "failurePolicy": "Ignore"}
        path = REGISTRATION + "validatingwebhookconfigurations/v"
        patch = {"webhooks": [opened]}
        assert (await hooks.api.call("PATCH", path, patch, kind="application/merge-patch+json"))[0] == 200
        assert (await hooks.api.call("POST", MAPS, config_map("a")))[0] == 201

    on_hooks(tmp_path, test)


def test_a_slow_webhook_is_given_up_and_validating_ones_are_asked_at_once(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        both = asyncio.Barrier(2)

        async def meets(review: Object) -> Object:
            await both.wait()
            return admitted(review)

        async def never(review: Object) -> None:
            await asyncio.Event().wait()

        await hooks.configure("Validating", "v", hooks.webhook("x", meets), hooks.webhook("y", meets))
        assert (await hooks.api.call("POST", MAPS, config_map("a")))[0] == 201
        await hooks.configure("Validating", "w", hooks.webhook("slow", never, timeoutSeconds=1))
        status, answer = await hooks.api.call("POST", MAPS, config_map("b"))
        assert status == 500
        assert answer["message"].endswith('/slow?timeout=1s": context deadline exceeded')

    on_hooks(tmp_path, test)


def asked_of(name: str, hooks: Hooks) -> list[str]:
    """Where webhooks were asked of one object: the server's own loops write others meanwhile."""
    return [path for path, review in hooks.server.asked if review["request"]["name"] == name]


def test_webhooks_are_told_what_the_request_has_left_and_none_is_asked_after_its_end(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        async def never(review: Object) -> None:
            await asyncio.Event().wait()

        configured = (("long", 20), ("short", 5))
        each = [hooks.webhook(name, admitted, timeoutSeconds=seconds) for name, seconds in configured]
        await hooks.configure("Validating", "v", *each)
        assert (await hooks.api.call("POST", MAPS + "?timeout=10s", config_map("a")))[0] == 201
        told = dict(path.removesuffix("s").split("?timeout=") for path in asked_of("a", hooks))
        assert told.keys() == {"/long", "/short"}
        assert int(told["/short"]) <= 5 < int(told["/long"]) <= 10  # a slow machine leaves less
        hooks.server.asked.clear()
        slow = hooks.webhook("slow", never, timeoutSeconds=20, failurePolicy="Ignore")
        await hooks.configure("Mutating", "m", slow, hooks.webhook("next", admitted, failurePolicy="Ignore"))
        status, answer = await hooks.api.call("POST", MAPS + "?timeout=900ms", config_map("b"))
        assert (status, answer["reason"]) == (504, "Timeout")
        assert asked_of("b", hooks) == ["/slow?timeout=1s"]

    on_hooks(tmp_path, test)


def test_dry_runs_need_webhooks_without_side_effects(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        await hooks.configure("Validating", "v", hooks.webhook("v", admitted, sideEffects="NoneOnDryRun"))
        assert (await hooks.api.call("POST", MAPS + "?dryRun=All", config_map("a")))[0] == 201
        assert len(hooks.requests("v")) == 1

    on_hooks(tmp_path, test)


def test_selectors_say_which_objects_a_webhook_sees(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        space = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
        objects = {"objectSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}}
        await hooks.configure(
            "Validating", "v", hooks.webhook("space", admitted, **space), hooks.webhook("objects", admitted, **objects)
        )
        for name, labels in (("one", {"team": "a"}), ("two", {})):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            assert (await hooks.api.call("POST", "/api/v1/namespaces", body))[0] == 201
        for space_name, labels in (("one", None), ("two", {"skip": "yes"})):
            path = f"/api/v1/namespaces/{space_name}/configmaps"
            assert (await hooks.api.call("POST", path, config_map("m", labels)))[0] == 201
        assert [request["namespace"] for request in hooks.requests("space")] == ["one"]
        assert [request["namespace"] for request in hooks.requests("objects")] == ["one"]

    on_hooks(tmp_path, test)


def test_an_equivalent_version_is_converted_unless_the_policy_is_exact(tmp_path: Path) -> None:
    def scale_down(review: Object) -> Object:
        return patched(review, '[{"op": "replace", "path": "/spec/maxReplicas", "value": 3}]')

    async def test(hooks: Hooks) -> None:
        rule = {**RULE, "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["horizontalpodautoscalers"]}
        await hooks.configure(
            "Mutating", "m", hooks.webhook("equivalent", scale_down, rules=[rule]),
            hooks.webhook("exact", admitted, rules=[rule], matchPolicy="Exact"),
        )  # fmt: skip
        body = {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
            "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}},
        }  # fmt: skip
        path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
        status, made = await hooks.api.call("POST", path, body)
        assert (status, made["spec"]["maxReplicas"], made["apiVersion"]) == (201, 3, "autoscaling/v2")
        (request,) = hooks.requests("equivalent")
        assert request["kind"]["version"] == request["resource"]["version"] == "v1"
        assert request["requestKind"]["version"] == request["requestResource"]["version"] == "v2"
        assert request["object"]["apiVersion"] == "autoscaling/v1"
        assert request["object"]["spec"]["targetCPUUtilizationPercentage"] == 80
        assert hooks.requests("exact") == []

    on_hooks(tmp_path, test)


def test_custom_objects_are_pruned_and_defaulted_after_a_patch_and_shown_at_the_wanted_version(tmp_path: Path) -> None:
    def schema(**properties: Object) -> Object:
        return {"openAPIV3Schema": {"type": "object", "properties": properties}}

    def version(name: str, *, storage: bool) -> Object:
        text, number = {"type": "string"}, {"type": "integer", "default": 7}
        return {"name": name, "served": True, "storage": storage, "schema": schema(color=text, size=number)}

    async def test(hooks: Hooks) -> None:
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "boxes.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Cluster",
                "names": {"plural": "boxes", "kind": "Box"},
                "versions": [version("v1", storage=True), version("v2", storage=False)],
            },
        }
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert (await hooks.api.call("POST", path, crd))[0] == 201
        patch = '[{"op": "add", "path": "/color", "value": "red"}, {"op": "add", "path": "/odd", "value": 1},'
        patch += '{"op": "remove", "path": "/size"}]'
        rule = {**RULE, "apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["boxes"]}
        await hooks.configure("Mutating", "m", hooks.webhook("m", lambda review: patched(review, patch), rules=[rule]))
        box = {"apiVersion": "example.com/v2", "kind": "Box", "metadata": {"name": "b"}, "size": 1}
        status, made = await hooks.api.call("POST", "/apis/example.com/v2/boxes", box)
        assert (status, made["apiVersion"], made["color"], made["size"]) == (201, "example.com/v2", "red", 7)
        assert "odd" not in made
        (request,) = hooks.requests("m")
        assert (request["object"]["apiVersion"], request["requestKind"]["version"]) == ("example.com/v1", "v2")

    on_hooks(tmp_path, test)


def test_subresources_connections_and_evictions_are_shown_as_what_they_are(tmp_path: Path) -> None:
    def to_two(review: Object) -> Object:
        return patched(review, '[{"op": "replace", "path": "/spec/replicas", "value": 2}]')

    async def test(hooks: Hooks) -> None:
        everything = {**RULE, "resources": ["pods/*", "deployments/scale", "serviceaccounts/token"]}
        await hooks.configure(
            "Mutating", "m", hooks.webhook("scale", to_two, rules=[{**RULE, "resources": ["*/scale"]}])
        )
        await hooks.configure("Validating", "v", hooks.webhook("see", admitted, rules=[everything]))
        call = hooks.api.call
        spec = {"containers": [{"name": "c", "image": "i"}]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
        deployment = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }  # fmt: skip
        await call("POST", "/apis/apps/v1/namespaces/default/deployments", deployment)
        scale = "/apis/apps/v1/namespaces/default/deployments/d/scale"
        merge = "application/merge-patch+json"
        status, answer = await call("PATCH", scale, {"spec": {"replicas": 5}}, kind=merge)
        assert (status, answer["spec"]) == (200, {"replicas": 2})
        pods = "/api/v1/namespaces/default/pods"
        await call("POST", pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"name": "n"}}
        assert (await call("POST", pods + "/p/binding", binding))[0] == 201
        await call("POST", pods + "/p/exec?command=ls&command=-l&container=c&stdout=true", None)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "default"}}
        assert (await call("POST", pods + "/p/eviction", eviction))[0] == 201
        seen = {request["subResource"]: request for request in hooks.requests("see") if "subResource" in request}
        assert list(seen) == ["scale", "binding", "exec", "eviction"]
        kinds = {sub: (request["operation"], request["kind"]["kind"]) for sub, request in seen.items()}
        assert kinds == {
            "scale": ("UPDATE", "Scale"), "binding": ("CREATE", "Binding"), "exec": ("CONNECT", "PodExecOptions"),
            "eviction": ("CREATE", "Eviction"),
        }  # fmt: skip
        assert seen["scale"]["object"]["spec"] == {"replicas": 2}
        assert seen["exec"]["object"] == {
            "kind": "PodExecOptions", "apiVersion": "v1", "stdout": True, "container": "c", "command": ["ls", "-l"],
        }  # fmt: skip
        assert "options" not in seen["exec"] or seen["exec"]["options"] is None

    on_hooks(tmp_path, test)


def test_conditions_decide_which_requests_a_webhook_is_asked_about(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        conditions = [
            {"name": "writers", "expression": "request.operation != 'DELETE'"},
            {"name": "big", "expression": "object.data.size() > int(object.metadata.annotations.limit)"},
        ]
        webhook = hooks.webhook("some", admitted, matchConditions=conditions)
        await hooks.configure("Validating", "v", webhook)
        body = config_map("a", x="1", y="2")
        status, answer = await hooks.api.call("POST", MAPS, body)
        assert (status, answer["reason"]) == (403, "Forbidden")
        assert answer["message"] == (
            "configmaps \"a\" is forbidden: expression 'object.data.size() > int(object.metadata.annotations.limit)' "
            "resulted in error: no such key: annotations"
        )
        for limit, count in (("2", 0), ("1", 1)):
            body["metadata"] = {"name": f"m{limit}", "annotations": {"limit": limit}}
            assert (await hooks.api.call("POST", MAPS, body))[0] == 201
            assert len(hooks.requests("some")) == count
        assert (await hooks.api.call("DELETE", MAPS + "/m1"))[0] == 200
        assert len(hooks.requests("some")) == 1

    on_hooks(tmp_path, test)


def test_configurations_themselves_are_out_of_reach(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        everything = {**RULE, "resources": ["*/*"]}
        webhook = hooks.webhook("no", lambda review: admitted(review, False), rules=[everything])
        await hooks.configure("Validating", "v", webhook)
        assert (await hooks.api.call("POST", MAPS, config_map("a")))[0] == 400
        status, _ = await hooks.api.call("DELETE", REGISTRATION + "validatingwebhookconfigurations/v")
        assert status == 200
        assert (await hooks.api.call("POST", MAPS, config_map("a")))[0] == 201

    on_hooks(tmp_path, test)


@pytest.mark.parametrize("binary", kubectls()[-1:])
def test_kubectl_shows_denials_and_warnings(tmp_path: Path, binary: str) -> None:
    async def test(hooks: Hooks) -> None:
        def judge(review: Object) -> Object:
            name = review["request"]["name"]
            return admitted(review, name != "bad", status={"message": "bad name"}, warnings=["mind the gap"])

        body = {
            "apiVersion": REGISTRATION[6:-1], "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "k"},
            "webhooks": [hooks.webhook("names", judge)],
        }  # fmt: skip
        await kubectl(binary, hooks.api, "apply", "-f", "-", stdin=orjson.dumps(body).decode())
        out = await kubectl(binary, hooks.api, "create", "configmap", "bad", check=False)
        assert 'admission webhook "names.example.com" denied the request: bad name' in out
        out = await kubectl(binary, hooks.api, "create", "configmap", "good")
        assert "Warning: mind the gap" in out
        assert "configmap/good created" in out

    on_hooks(tmp_path, test)


def test_owners_that_a_webhook_breaks_are_put_back(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        patch = '[{"op": "replace", "path": "/metadata/managedFields/0/operation", "value": "Steal"}]'
        await hooks.configure("Mutating", "m", hooks.webhook("m", lambda review: patched(review, patch)))
        async with hooks.api.session.post(hooks.api.url + MAPS, json=config_map("a", x="1")) as answer:
            assert answer.status == 201
            assert "managedFields was in an invalid state after admission" in answer.headers["Warning"]
            assert (await answer.json())["metadata"]["managedFields"][0]["operation"] == "Update"

    on_hooks(tmp_path, test)


def test_webhooks_are_asked_as_the_user_that_the_configuration_file_names(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        await hooks.configure("Mutating", "m", hooks.webhook("m", admitted))
        await hooks.configure("Validating", "v", hooks.webhook("v", admitted))
        assert (await hooks.api.call("POST", MAPS, config_map("a")))[0] == 201
        shown = [request.headers.get("Authorization") for request in hooks.server.requests]
        assert shown == [None, "Bearer secret"]

    users = [{"name": "127.0.0.1:*", "user": {"token": "no"}}, {"name": "*", "user": {"token": "secret"}}]
    (tmp_path / "users").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "users": users}))
    told = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": str(tmp_path / "users"),
    }
    outer = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "ValidatingAdmissionWebhook", "configuration": told}],
    }
    (tmp_path / "admission").write_text(json.dumps(outer))
    on_hooks(tmp_path, test, admission_control_config_file=str(tmp_path / "admission"))


def test_a_webhook_behind_a_service_is_called_by_the_services_name(tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            asyncio.timeout(60),
            api_server(tmp_path) as api,
            webhook_server(names=["hook.default.svc"]) as server,
        ):
            hooks = Hooks(api, server)
            webhook = hooks.webhook("s", admitted)
            place = {"name": "hook", "namespace": "default", "path": "/s", "port": 8443}
            webhook["clientConfig"] = {"service": place, "caBundle": server.ca_bundle}
            await hooks.configure("Validating", "v", webhook)
            status, answer = await api.call("POST", MAPS, config_map("a"))
            assert (status, answer["message"].rpartition(": ")[2]) == (500, 'service "hook" not found')
            service = {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
                "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": 8443}]},
            }  # fmt: skip
            assert (await api.call("POST", "/api/v1/namespaces/default/services", service))[0] == 201
            webhook["clientConfig"]["service"] = {**place, "port": server.port}
            path = REGISTRATION + "validatingwebhookconfigurations/v"
            merge = "application/merge-patch+json"
            assert (await api.call("PATCH", path, {"webhooks": [webhook]}, kind=merge))[0] == 200
            assert (await api.call("POST", MAPS, config_map("a")))[0] == 201
            assert server.requests[0].headers["Host"] == f"hook.default.svc:{server.port}"

    uvloop.run(run())
