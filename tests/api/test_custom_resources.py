"""Custom resources over HTTPS: rules, names, selectors, versions, and how kubectl shows them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from tests.api.serving import Api, kubectls, on_api
from tests.webhook_server import webhook_server

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"
Json = dict[str, Any]


def definition(plural: str, kind: str, schema: Json, group: str = "example.com", **more: Any) -> Json:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    version |= more.pop("version", {})
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": more.pop("annotations", {})},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, **more.pop("names", {})},
            "scope": "Namespaced",
            "versions": [version, *more.pop("versions", [])],
            **more,
        },
    }


def spec_schema(properties: Json, *rules: Json, **more: Any) -> Json:
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules), **more}
    return {"type": "object", "properties": {"spec": spec}}


def widget(name: str, **spec: Any) -> Json:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"


def test_rules_refuse_in_upstreams_words(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        bad = definition("widgets", "Widget", spec_schema({"n": {"type": "integer"}}, {"rule": "self.m > 1"}))
        code, status = await api.call("POST", DEFINITIONS, bad)
        assert code == 422
        assert status["details"]["causes"][0]["field"] == (
            "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule"
        )
        assert "compilation failed: ERROR: <input>:1:5: undefined field 'm'" in status["message"]

        rules = ({"rule": "self.n <= self.most", "message": "too many"}, {"rule": "self.n >= oldSelf.n"})
        integer = {"type": "integer"}
        good = definition("widgets", "Widget", spec_schema({"n": integer, "most": integer}, *rules))
        assert (await api.call("POST", DEFINITIONS, good))[0] == 201
        code, status = await api.call("POST", WIDGETS, widget("w", n=3, most=2))
        assert code == 422
        assert status["message"] == 'Widget.example.com "w" is invalid: spec: Invalid value: "object": too many'
        assert (await api.call("POST", WIDGETS, widget("w", n=2, most=2)))[0] == 201
        code, status = await api.call("PATCH", f"{WIDGETS}/w", {"spec": {"n": 1}}, kind=MERGE)
        assert code == 422
        assert status["message"].endswith("failed rule: self.n >= oldSelf.n")

        stricter = definition("widgets", "Widget", spec_schema({"n": integer, "most": integer}, {"rule": "self.n > 5"}))
        code, _ = await api.call("PATCH", f"{DEFINITIONS}/widgets.example.com", {"spec": stricter["spec"]}, kind=MERGE)
        assert code == 200
        async with asyncio.timeout(10):
            while (await api.call("POST", f"{WIDGETS}?dryRun=All", widget("x", n=1, most=2)))[0] != 422:
                await asyncio.sleep(0.01)
        url = f"{api.url}{WIDGETS}/w"
        labels = {"metadata": {"labels": {"a": "b"}}}
        async with api.session.patch(url, json=labels, headers={"Content-Type": MERGE}) as answer:
            assert answer.status == 200
            assert "failed rule: self.n > 5" in answer.headers["Warning"]

    on_api(tmp_path, test)


def test_rules_that_take_long_hold_nobody_up(tmp_path: Path) -> None:
    dear = {"rule": "self.l.all(a, self.l.all(b, a + b >= 0))", "message": "below"}
    schema = spec_schema({"l": {"type": "array", "maxItems": 300, "items": {"type": "integer"}}}, dear)

    async def test(api: Api) -> None:
        assert (await api.call("POST", DEFINITIONS, definition("widgets", "Widget", schema)))[0] == 201
        writing = asyncio.ensure_future(api.call("POST", WIDGETS, widget("w", l=list(range(300)))))
        meanwhile = 0
        while not writing.done():
            assert (await api.call("GET", "/version"))[0] == 200
            meanwhile += 1
        assert (await writing)[0] == 201
        assert meanwhile > 3
        code, status = await api.call("POST", WIDGETS, widget("x", l=[*range(299), -600]))
        assert (code, status["details"]["causes"][0]["message"]) == (422, 'Invalid value: "object": below')

    on_api(tmp_path, test)


def test_second_definition_of_a_kind_waits_for_its_names(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        first = definition("widgets", "Widget", {"type": "object"}, names={"shortNames": ["wd"]})
        second = definition("gadgets", "Widget", {"type": "object"}, names={"shortNames": ["wd", "gd"]})
        for each in (first, second):
            assert (await api.call("POST", DEFINITIONS, each))[0] == 201
        _, found = await api.call("GET", f"{DEFINITIONS}/gadgets.example.com")
        told = {each["type"]: (each["status"], each["reason"], each["message"])
                for each in found["status"]["conditions"]}  # fmt: skip
        assert told == {
            "NamesAccepted": ("False", "ListKindConflict", '"WidgetList" is already in use'),
            "Established": ("False", "NotAccepted", "not all names are accepted"),
        }
        gadgets = "/apis/example.com/v1/namespaces/default/gadgets"
        assert (await api.call("GET", gadgets))[0] == 404
        assert (await api.call("DELETE", f"{DEFINITIONS}/widgets.example.com"))[0] == 200
        async with asyncio.timeout(10):
            while (await api.call("GET", gadgets))[0] != 200:
                await asyncio.sleep(0.01)
        _, served = await api.call("GET", "/apis/example.com/v1")
        assert [(row["name"], row["shortNames"]) for row in served["resources"]] == [("gadgets", ["wd", "gd"])]

    on_api(tmp_path, test)


def test_group_of_the_project_needs_approval(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        missing = definition("widgets", "Widget", {"type": "object"}, group="example.k8s.io")
        assert (await api.call("POST", DEFINITIONS, missing))[0] == 422
        annotations = {"api-approved.kubernetes.io": "unapproved, a test"}
        given = definition("widgets", "Widget", {"type": "object"}, group="example.k8s.io", annotations=annotations)
        assert (await api.call("POST", DEFINITIONS, given))[0] == 201
        _, found = await api.call("GET", f"{DEFINITIONS}/widgets.example.k8s.io")
        (judged,) = [each for each in found["status"]["conditions"] if each["type"].startswith("KubernetesAPI")]
        assert (judged["status"], judged["reason"]) == ("False", "UnapprovedAnnotation")
        assert judged["message"] == 'not approved: "unapproved, a test"'

    on_api(tmp_path, test)


def test_fields_select_custom_objects(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        schema = spec_schema({"color": {"type": "string"}, "on": {"type": "boolean"}})
        bad = definition("widgets", "Widget", schema, version={"selectableFields": [{"jsonPath": ".spec"}]})
        code, status = await api.call("POST", DEFINITIONS, bad)
        assert (code, status["details"]["causes"][0]["field"]) == (422, "spec.selectableFields[0].jsonPath")
        made = definition("widgets", "Widget", schema, version={"selectableFields": [{"jsonPath": ".spec.color"}]})
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        for name, color in (("a", "blue"), ("b", "red")):
            assert (await api.call("POST", WIDGETS, widget(name, color=color, on=True)))[0] == 201
        code, found = await api.call("GET", f"{WIDGETS}?fieldSelector=spec.color%3Dblue")
        assert (code, [each["metadata"]["name"] for each in found["items"]]) == (200, ["a"])
        code, status = await api.call("GET", f"{WIDGETS}?fieldSelector=spec.on%3Dtrue")
        assert (code, status["message"]) == (400, "field label not supported: spec.on")
        more = [{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.on"}]
        made["spec"]["versions"][0]["selectableFields"] = more
        patch = {"spec": {"versions": made["spec"]["versions"]}}
        assert (await api.call("PATCH", f"{DEFINITIONS}/widgets.example.com", patch, kind=MERGE))[0] == 200
        async with asyncio.timeout(10):
            while True:
                code, found = await api.call("GET", f"{WIDGETS}?fieldSelector=spec.on%3Dtrue,spec.color%21%3Dblue")
                if code == 200:
                    break
        assert [each["metadata"]["name"] for each in found["items"]] == ["b"]

    on_api(tmp_path, test)


async def _kubectl(api: Api, kubectl: str, *arguments: str, stdin: str = "") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        kubectl, "--kubeconfig", str(api.kubeconfig), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_kubectl_explains_gets_and_is_refused(tmp_path: Path) -> None:
    kubectl = kubectls()[-1]

    async def test(api: Api) -> None:
        size = {"type": "integer", "description": "How big it is.", "minimum": 1}
        made = definition(
            "widgets",
            "Widget",
            spec_schema({"size": size}, {"rule": "self.size % 2 == 0", "message": "must be even"}),
            names={"shortNames": ["wd"], "categories": ["things"]},
            version={
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size",
                                                         "statusReplicasPath": ".status.size"}},
            },
        )  # fmt: skip
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        applied = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 4}\n"
        code, output = await _kubectl(api, kubectl, "apply", "-f", "-", stdin=applied)
        assert (code, output.strip()) == (0, "widget.example.com/w created")
        code, output = await _kubectl(api, kubectl, "get", "wd")
        assert code == 0
        assert re.fullmatch(r"NAME +SIZE\nw +4\n", output), output
        code, output = await _kubectl(api, kubectl, "get", "things", "-o", "name")
        assert (code, output.strip()) == (0, "widget.example.com/w")
        code, output = await _kubectl(api, kubectl, "explain", "widgets.spec.size")
        assert code == 0
        assert "How big it is." in output
        code, output = await _kubectl(api, kubectl, "scale", "wd/w", "--replicas=3")
        assert code == 1
        assert 'spec: Invalid value: "object": must be even' in output
        code, output = await _kubectl(api, kubectl, "apply", "-f", "-", stdin=applied.replace("4", "0"))
        assert code == 1
        assert "spec.size in body should be greater than or equal to 1" in output

    on_api(tmp_path, test)


def test_stored_objects_follow_their_schema(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        both = {"n": {"type": "integer"}, "old": {"type": "integer"}}
        made = definition("widgets", "Widget", spec_schema(both))
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        assert (await api.call("POST", WIDGETS, widget("w", old=1)))[0] == 201
        made["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = spec_schema({"n": {"type": "integer", "default": 7}})
        patch = {"spec": {"versions": made["spec"]["versions"]}}
        assert (await api.call("PATCH", f"{DEFINITIONS}/widgets.example.com", patch, kind=MERGE))[0] == 200
        async with asyncio.timeout(10):
            while (await api.call("GET", f"{WIDGETS}/w"))[1].get("spec") != {"n": 7}:
                await asyncio.sleep(0.01)
        _, found = await api.call("GET", WIDGETS)
        assert [each["spec"] for each in found["items"]] == [{"n": 7}]

    on_api(tmp_path, test)


def test_versions_without_conversion_differ_in_their_name_alone(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        schema = spec_schema({"n": {"type": "integer"}})
        second = {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": schema}}
        made = definition("widgets", "Widget", schema, versions=[second])
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        assert (await api.call("POST", WIDGETS, widget("w", n=1)))[0] == 201
        newer = WIDGETS.replace("v1", "v2")
        _, found = await api.call("GET", f"{newer}/w")
        assert (found["apiVersion"], found["spec"]) == ("example.com/v2", {"n": 1})
        for version in made["spec"]["versions"]:
            version["storage"] = version["name"] == "v2"
        patch = {"spec": {"versions": made["spec"]["versions"]}}
        code, changed = await api.call("PATCH", f"{DEFINITIONS}/widgets.example.com", patch, kind=MERGE)
        assert (code, changed["status"]["storedVersions"]) == (200, ["v1", "v2"])
        async with asyncio.timeout(10):
            while (await api.call("PATCH", f"{newer}/w", {"spec": {"n": 2}}, kind=MERGE))[0] != 200:
                await asyncio.sleep(0.01)
        for path, version in ((WIDGETS, "v1"), (newer, "v2")):
            _, found = await api.call("GET", path)
            assert [(each["apiVersion"], each["spec"]) for each in found["items"]] == [
                (f"example.com/{version}", {"n": 2})
            ]
        without = {"spec": {"versions": made["spec"]["versions"][1:]}}
        code, status = await api.call("PATCH", f"{DEFINITIONS}/widgets.example.com", without, kind=MERGE)
        assert (code, status["details"]["causes"][0]["field"]) == (422, "status.storedVersions[0]")

    on_api(tmp_path, test)


def _renamed(review: Json) -> Json:
    """v1 has spec.size, v2 has spec.length."""
    request = review["request"]
    wanted = request["desiredAPIVersion"]
    old, new = ("size", "length") if wanted.endswith("v2") else ("length", "size")
    converted = []
    for obj in request["objects"]:
        spec = {new if name == old else name: value for name, value in (obj.get("spec") or {}).items()}
        converted.append({**obj, "apiVersion": wanted, "spec": spec})
    response = {"uid": request["uid"], "convertedObjects": converted, "result": {"status": "Success"}}
    return {"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}


async def _selects_by_converted_fields(api: Api, path: str, version: str) -> None:
    """There is one object, whose spec.length is 4."""
    for wanted, count in ((4, 1), (5, 0)):
        _, found = await api.call("GET", f"{path}?fieldSelector=spec.length%3D{wanted}")
        assert len(found["items"]) == count
    query = f"?watch=true&resourceVersion={version}&fieldSelector=spec.length%3D4&timeoutSeconds=20"
    async with api.session.get(f"{api.url}{path}{query}") as stream:
        for length, event in ((5, "DELETED"), (4, "ADDED")):
            assert (await api.call("PATCH", f"{path}/w", {"spec": {"length": length}}, kind=MERGE))[0] == 200
            told = json.loads(await stream.content.readline())
            assert (told["type"], told["object"]["spec"]) == (event, {"length": length})


def test_webhook_converts_between_versions(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        async with webhook_server() as hooks:
            v1, v2 = (spec_schema({name: {"type": "integer", "minimum": 1}}) for name in ("size", "length"))
            second = {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": v2},
                      "selectableFields": [{"jsonPath": ".spec.length"}]}  # fmt: skip
            config = {"clientConfig": hooks.client_config("/convert"), "conversionReviewVersions": ["v1"]}
            made = definition(
                "widgets", "Widget", v1, versions=[second], conversion={"strategy": "Webhook", "webhook": config}
            )
            hooks.hooks["/convert"] = _renamed
            assert (await api.call("POST", DEFINITIONS, made))[0] == 201
            newer = WIDGETS.replace("v1", "v2")
            body = widget("w", length=3) | {"apiVersion": "example.com/v2"}
            code, found = await api.call("POST", newer, body)
            assert (code, found["apiVersion"], found["spec"]) == (201, "example.com/v2", {"length": 3})
            _, found = await api.call("GET", f"{WIDGETS}/w")
            assert (found["apiVersion"], found["spec"]) == ("example.com/v1", {"size": 3})
            _, found = await api.call("PATCH", f"{newer}/w", {"spec": {"length": 4}}, kind=MERGE)
            assert found["spec"] == {"length": 4}
            code, status = await api.call("PATCH", f"{newer}/w", {"spec": {"length": 0}}, kind=MERGE)
            assert (code, status["details"]["causes"][0]["field"]) == (422, "spec.length")
            _, found = await api.call("GET", newer)
            assert [each["spec"] for each in found["items"]] == [{"length": 4}]
            _, found = await api.call("GET", WIDGETS)
            assert [each["spec"] for each in found["items"]] == [{"size": 4}]
            await _selects_by_converted_fields(api, newer, found["metadata"]["resourceVersion"])

            def failing(review: Json) -> Json:
                result = {"status": "Failed", "message": "no idea how"}
                return {**review, "response": {"uid": review["request"]["uid"], "result": result}}

            hooks.hooks["/convert"] = failing
            code, status = await api.call("GET", f"{newer}/w")
            why = "conversion webhook for example.com/v1, Kind=Widget failed: no idea how"
            assert (code, status.get("reason"), status["message"]) == (500, None, why)
            assert (await api.call("GET", f"{WIDGETS}/w"))[0] == 200

    on_api(tmp_path, test)


def test_nothing_is_created_of_a_kind_that_is_going(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        assert (await api.call("POST", DEFINITIONS, definition("widgets", "Widget", {"type": "object"})))[0] == 201
        kept = widget("kept")
        kept["metadata"]["finalizers"] = ["example.com/stay"]
        assert (await api.call("POST", WIDGETS, kept))[0] == 201
        assert (await api.call("DELETE", f"{DEFINITIONS}/widgets.example.com"))[0] == 200
        async with asyncio.timeout(10):
            while not (await api.call("GET", f"{WIDGETS}/kept"))[1]["metadata"].get("deletionTimestamp"):
                await asyncio.sleep(0.01)
        late = {field: value for field, value in widget("late").items() if field != "spec"}
        applied = {"method": "PATCH", "path": f"{WIDGETS}/late?fieldManager=m", "kind": "application/apply-patch+yaml"}
        for asked in ({"method": "POST", "path": WIDGETS}, applied):
            code, status = await api.call(body=late, **asked)
            assert (code, status["message"]) == (
                403,
                'widgets.example.com "late" is forbidden: '
                "create not allowed while custom resource definition is terminating",
            )
        patch = {"metadata": {"finalizers": None}}
        assert (await api.call("PATCH", f"{WIDGETS}/kept", patch, kind=MERGE))[0] == 200
        async with asyncio.timeout(10):
            while (await api.call("GET", f"{DEFINITIONS}/widgets.example.com"))[0] != 404:
                await asyncio.sleep(0.01)

    on_api(tmp_path, test)


def test_objects_of_no_served_version_go_with_their_definition(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        made = definition("widgets", "Widget", {"type": "object"})
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        assert (await api.call("POST", WIDGETS, widget("w")))[0] == 201
        made["spec"]["versions"][0]["served"] = False
        patch = {"spec": {"versions": made["spec"]["versions"]}}
        assert (await api.call("PATCH", f"{DEFINITIONS}/widgets.example.com", patch, kind=MERGE))[0] == 200
        async with asyncio.timeout(10):
            while (await api.call("GET", WIDGETS))[0] != 404:
                await asyncio.sleep(0.01)
        assert (await api.call("DELETE", f"{DEFINITIONS}/widgets.example.com"))[0] == 200
        made["spec"]["versions"][0]["served"] = True
        async with asyncio.timeout(10):
            while (await api.call("POST", DEFINITIONS, made))[0] != 201:
                await asyncio.sleep(0.01)
        _, found = await api.call("GET", WIDGETS)
        assert found["items"] == []

    on_api(tmp_path, test)


def test_metadata_is_that_of_all_objects_also_inside_of_others(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        inner = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
        assert (await api.call("POST", DEFINITIONS, definition("widgets", "Widget", spec_schema({"e": inner}))))[
            0
        ] == 201
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "odd": 1}, "kept": True}
        made = widget("w", e=pod)
        made["metadata"]["odd"] = 2
        code, found = await api.call("POST", f"{WIDGETS}?fieldValidation=Strict", made)
        assert code == 400
        assert found["message"].endswith('unknown field "metadata.odd", unknown field "spec.e.metadata.odd"')
        _, found = await api.call("POST", WIDGETS, made)
        assert found["spec"]["e"] == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "kept": True}
        made["spec"]["e"]["metadata"] = {"name": 5}
        assert (await api.call("POST", WIDGETS, made))[0] == 400

    on_api(tmp_path, test)


def test_strict_decoding_tells_of_fields_in_upstreams_order(tmp_path: Path) -> None:
    body = """
kind: Widget
apiVersion: example.com/v1
metadata: {name: w, unknownMeta: 1}
spec:
  z: 1
  inner: {apiVersion: v1, kind: ConfigMap, metadata: {name: c, unknownInner: 1}}
  a: 1
  n: 1
  n: 2
"""

    async def test(api: Api) -> None:
        inner = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"data": {"type": "object"}}}
        schema = spec_schema({"n": {"type": "integer"}, "inner": inner})
        assert (await api.call("POST", DEFINITIONS, definition("widgets", "Widget", schema)))[0] == 201
        unknown = ["metadata.unknownMeta", "spec.a", "spec.z", "spec.inner.metadata.unknownInner"]
        told = ['line 10: key "n" already set in map', *(f'unknown field "{name}"' for name in unknown)]
        headers = {"Content-Type": "application/yaml"}
        async with api.session.post(f"{api.url}{WIDGETS}?dryRun=All", data=body, headers=headers) as answer:
            assert answer.status == 201
            warned = [re.sub(r'\\"', '"', value[7:-1]) for value in answer.headers.getall("Warning")]
        assert warned == told
        async with api.session.post(f"{api.url}{WIDGETS}?fieldValidation=Strict", data=body, headers=headers) as answer:
            message = (await answer.json())["message"]
        assert message.endswith(f"strict decoding error: yaml: unmarshal errors:\n  {', '.join(told)}")

    on_api(tmp_path, test)


def test_deprecated_versions_warn_and_the_newest_is_preferred(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        schema = {"openAPIV3Schema": {"type": "object"}}
        older = [
            {"name": "v1alpha1", "served": True, "storage": False, "deprecated": True, "schema": schema},
            {"name": "v1beta1", "served": True, "storage": False, "deprecated": True, "schema": schema}
            | {"deprecationWarning": "do not"},
        ]
        made = definition("widgets", "Widget", {"type": "object"}, versions=older)
        made["spec"]["versions"].reverse()
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        for version, path, told in (
            ("v1alpha1", "", ["example.com/v1alpha1 Widget is deprecated; use example.com/v1 Widget"]),
            ("v1beta1", "/missing", ["do not"]),
            ("v1", "", []),
        ):
            url = f"{api.url}{WIDGETS}{path}".replace("/v1/", f"/{version}/")
            async with api.session.get(url) as answer:
                assert [value[7:-1] for value in answer.headers.getall("Warning", [])] == told
        _, group = await api.call("GET", "/apis/example.com")
        assert [each["version"] for each in group["versions"]] == ["v1", "v1beta1", "v1alpha1"]
        assert group["preferredVersion"]["version"] == "v1"
        _, service = await api.call("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com")
        assert {entry["manager"] for entry in service["metadata"]["managedFields"]} == {"kube-apiserver"}

    on_api(tmp_path, test)


def test_objects_say_what_they_are_and_subresources_must_be_there(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        assert (await api.call("POST", DEFINITIONS, definition("widgets", "Widget", {"type": "object"})))[0] == 201
        code, status = await api.call("POST", WIDGETS, {"metadata": {"name": "w"}})
        body = '{"metadata": {"name": "w"}}'
        missing = f"Object 'Kind' is missing in '{body}' ({body})"
        assert code == 400
        assert status["message"] == f"the object provided is unrecognized (must be of type Widget): {missing}"
        code, status = await api.call("POST", WIDGETS, {"kind": "Widget", "metadata": {"name": "w"}})
        assert code == 400
        expected = "does not match the expected API version (example.com/v1)"
        assert status["message"] == f"the API version in the data () {expected}"
        code, status = await api.call("POST", WIDGETS, {**widget("w"), "kind": "Other"})
        assert code == 422
        assert status["message"] == 'Other.example.com "w" is invalid: kind: Invalid value: "Other": must be Widget'
        code, status = await api.call("POST", WIDGETS, {**widget("w"), "apiVersion": "example.com/v2"})
        assert (code, status["message"]) == (
            400,
            "the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)",
        )
        assert (await api.call("POST", WIDGETS, widget("kept")))[0] == 201
        code, status = await api.call("PATCH", f"{WIDGETS}/kept", {"kind": None}, kind=MERGE)
        assert code == 422
        assert status["message"].startswith(' "" is invalid: patch: Invalid value: ')
        assert ": Object 'Kind' is missing in '{" in status["message"]
        code, status = await api.call("GET", f"{WIDGETS}/w/status")
        assert (code, status["message"]) == (404, 'widgets.example.com "w" not found')

    on_api(tmp_path, test)


def test_held_definition_goes_on_terminating(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        made = definition("widgets", "Widget", {"type": "object"})
        made["metadata"]["finalizers"] = ["example.com/held"]
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        path = f"{DEFINITIONS}/widgets.example.com"
        assert (await api.call("DELETE", path))[0] == 200
        async with asyncio.timeout(10):
            while (found := (await api.call("GET", path))[1])["metadata"]["finalizers"] != ["example.com/held"]:
                await asyncio.sleep(0.01)
        conditions = {each["type"]: each["status"] for each in found["status"]["conditions"]}
        assert conditions["Terminating"] == "True"
        assert (await api.call("POST", WIDGETS, widget("late")))[0] == 403

    on_api(tmp_path, test)


def test_deletion_of_a_definition_tells_how_far_it_is(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        assert (await api.call("POST", DEFINITIONS, definition("widgets", "Widget", {"type": "object"})))[0] == 201
        held = widget("w")
        held["metadata"]["finalizers"] = ["example.com/held"]
        assert (await api.call("POST", WIDGETS, held))[0] == 201
        path = f"{DEFINITIONS}/widgets.example.com"
        _, deleted = await api.call("DELETE", path)
        version = deleted["metadata"]["resourceVersion"]
        query = f"?watch=1&fieldSelector=metadata.name%3Dwidgets.example.com&resourceVersion={version}"
        reasons: list[str] = []
        async with api.session.get(f"{api.url}{DEFINITIONS}{query}") as answer:
            async for line in answer.content:
                event = json.loads(line)
                conditions = {each["type"]: each for each in event["object"]["status"]["conditions"]}
                reasons.append(conditions["Terminating"]["reason"])
                if event["type"] == "DELETED":
                    break
                free = {"metadata": {"finalizers": None}}
                await api.call("PATCH", f"{WIDGETS}/w", free, kind=MERGE)
        assert list(dict.fromkeys(reasons)) == ["InstanceDeletionInProgress", "InstanceDeletionCompleted"]

    on_api(tmp_path, test)


def test_lists_are_of_the_kind_that_the_definition_names(tmp_path: Path) -> None:
    async def test(api: Api) -> None:
        made = definition("widgets", "Widget", {"type": "object"}, names={"listKind": "ManyWidgets"})
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        assert (await api.call("GET", WIDGETS))[1]["kind"] == "ManyWidgets"

    on_api(tmp_path, test)


def test_scales_of_custom_objects_need_replicas_that_are_judged_with_the_object(tmp_path: Path) -> None:
    paths = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}

    async def test(api: Api) -> None:
        schema = spec_schema({"n": {"type": "integer"}, "a": {"type": "string"}})
        made = definition("widgets", "Widget", schema, version={"subresources": {"scale": paths}})
        assert (await api.call("POST", DEFINITIONS, made))[0] == 201
        assert (await api.call("POST", WIDGETS, widget("w", a="x")))[0] == 201
        scale = f"{WIDGETS}/w/scale"
        code, status = await api.call("GET", scale)
        assert (code, status["message"]) == (
            500,
            'Internal error occurred: the spec replicas field ".spec.n" does not exist',
        )
        code, status = await api.call("PATCH", scale, {"metadata": {}}, kind=MERGE)
        assert (code, status["message"]) == (400, 'the spec replicas field ".spec.n" cannot be empty')
        code, status = await api.call("PATCH", scale, {"spec": {"replicas": -1}}, kind=MERGE)
        assert (code, status["message"]) == (
            422,
            'Widget.example.com "w" is invalid: .spec.n: Invalid value: -1: should be a non-negative integer',
        )
        code, answer = await api.call("PATCH", scale, {"spec": {"replicas": 2}}, kind=MERGE)
        assert (code, answer["spec"]) == (200, {"replicas": 2})

    on_api(tmp_path, test)
