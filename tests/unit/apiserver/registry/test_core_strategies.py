"""What strategies of the core group keep, drop and fill in, seen through a server."""

from typing import Any

from tests.unit.apiserver.asking import Asker, on_server

PODS = "/api/v1/namespaces/default/pods"


def pod(name: str = "p", **spec: Any) -> Any:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}


def test_how_a_kubelet_is_configured_is_not_said_of_nodes() -> None:
    async def test(ask: Asker) -> None:
        node = {"metadata": {"name": "n"}, "spec": {"configSource": {}}, "status": {"config": {"error": "x"}}}
        made = await ask("POST", "/api/v1/nodes", node)
        assert made.status == 201
        assert made.warnings == []
        assert "configSource" not in made.body["spec"]
        assert "config" not in made.body["status"]
        changed = await ask("PUT", "/api/v1/nodes/n", node)
        assert "configSource" not in changed.body["spec"]
        status = await ask("PUT", "/api/v1/nodes/n/status", node)
        assert "config" not in status.body["status"]

    on_server(test)


def test_which_generation_was_seen_stays_in_a_status() -> None:
    async def test(ask: Asker) -> None:
        made = (await ask("POST", PODS, pod())).body
        ready = {"type": "Ready", "status": "False", "observedGeneration": 1}
        made["status"] = {"observedGeneration": 1, "conditions": [ready]}
        assert (await ask("PUT", f"{PODS}/p/status", made)).status == 200
        made["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "a/b"}]}
        made["metadata"].pop("resourceVersion")
        status = (await ask("PUT", f"{PODS}/p/status", made)).body["status"]
        assert status["observedGeneration"] == 1
        assert [condition.get("observedGeneration") for condition in status["conditions"]] == [1, None]

    on_server(test)


REQUIRED, PREFERRED = (f"{when}DuringSchedulingIgnoredDuringExecution" for when in ("required", "preferred"))


def test_selectors_get_the_values_of_the_pod_s_own_labels() -> None:
    def term(**keys: Any) -> Any:
        return {"topologyKey": "z", "labelSelector": {"matchLabels": {"c": "3"}}, **keys}

    async def test(ask: Asker) -> None:
        affinity = {
            "podAffinity": {
                PREFERRED: [{"weight": 1, "podAffinityTerm": term(matchLabelKeys=["a"], mismatchLabelKeys=["b"])}]
            },
            "podAntiAffinity": {REQUIRED: [term(matchLabelKeys=["a", "none"])]},
        }
        spread = {**term(matchLabelKeys=["a"]), "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
        made = pod(affinity=affinity, topologySpreadConstraints=[spread])
        made["metadata"]["labels"] = {"a": "1", "b": "2"}
        spec = (await ask("POST", PODS, made)).body["spec"]
        same = {"key": "a", "operator": "In", "values": ["1"]}
        other = {"key": "b", "operator": "NotIn", "values": ["2"]}
        near = spec["affinity"]["podAffinity"][PREFERRED][0]["podAffinityTerm"]
        assert near["labelSelector"]["matchExpressions"] == [same, other]
        assert spec["affinity"]["podAntiAffinity"][REQUIRED][0]["labelSelector"]["matchExpressions"] == [same]
        assert spec["topologySpreadConstraints"][0]["labelSelector"]["matchExpressions"] == [same]

    on_server(test)


def test_a_key_that_is_selected_by_anyway_is_refused() -> None:
    async def test(ask: Asker) -> None:
        spread = {"topologyKey": "z", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
        spread |= {"labelSelector": {"matchLabels": {"a": "1"}}, "matchLabelKeys": ["a"]}
        made = pod(topologySpreadConstraints=[spread])
        made["metadata"]["labels"] = {"a": "1"}
        told = await ask("POST", PODS, made)
        (cause,) = told.body["details"]["causes"]
        assert cause["field"] == "spec.topologySpreadConstraints[0][0]"
        assert cause["message"] == 'Invalid value: "a": exists in both matchLabelKeys and labelSelector'

    on_server(test)


def test_apparmor_profiles_move_from_annotations_into_their_fields() -> None:
    prefix = "container.apparmor.security.beta.kubernetes.io/"

    async def test(ask: Asker) -> None:
        names = ("a", "b", "c")
        made = pod(
            containers=[{"name": name, "image": "x"} for name in names],
            securityContext={"appArmorProfile": {"type": "RuntimeDefault"}},
        )
        profiles = zip(names, ("localhost/p", "unconfined", "runtime/default"), strict=True)
        made["metadata"]["annotations"] = {prefix + name: profile for name, profile in profiles}
        told = await ask("POST", PODS, made)
        found = [(c.get("securityContext") or {}).get("appArmorProfile") for c in told.body["spec"]["containers"]]
        assert found == [{"type": "Localhost", "localhostProfile": "p"}, {"type": "Unconfined"}, None]
        assert [warning for warning in told.warnings if "deprecated since v1.30" in warning] == [
            f'299 - "metadata.annotations[{prefix}{name}]: deprecated since v1.30; use the '
            '\\"appArmorProfile\\" field instead"'
            for name in ("a", "b")
        ]

    on_server(test)


def test_an_annotation_that_names_no_profile_is_warned_of() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/c"

    async def test(ask: Asker) -> None:
        told = await ask("POST", PODS, {**pod(), "metadata": {"name": "p", "annotations": {key: ""}}})
        assert "securityContext" not in told.body["spec"]["containers"][0]
        assert any(f"metadata.annotations[{key}]: deprecated" in warning for warning in told.warnings)

    on_server(test)


def test_fields_of_features_that_are_off_are_dropped() -> None:
    async def test(ask: Asker) -> None:
        mount = {"name": "v", "mountPath": "/v", "bindMountOptions": ["noexec"]}
        volumes = [
            {"name": "v", "emptyDir": {"mode": 0o700}},
            {
                "name": "s",
                "secret": {"secretName": "s", "defaultUser": 1, "items": [{"key": "k", "path": "p", "user": 1}]},
            },
            {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "user": 1}}]}},
        ]
        made = pod(
            containers=[{"name": "c", "image": "x", "volumeMounts": [mount]}],
            volumes=volumes,
            serviceAccountName="default",
            schedulingGroup={"podGroupName": "g"},
            evictionResponders=[{"name": "a.b/c"}],
        )
        template = {"metadata": {"labels": {"a": "b"}}, "spec": made["spec"]}
        owner = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
        alone = await ask("POST", PODS, made)
        owned = await ask("POST", "/apis/apps/v1/namespaces/default/deployments", owner)
        assert (alone.status, owned.status) == (201, 201)
        for spec in (alone.body["spec"], owned.body["spec"]["template"]["spec"]):
            assert not {"schedulingGroup", "evictionResponders"} & spec.keys()
            assert "bindMountOptions" not in spec["containers"][0]["volumeMounts"][0]
            volume, secret, projected = spec["volumes"][:3]
            assert volume["emptyDir"] == {}
            assert "defaultUser" not in secret["secret"]
            assert "user" not in secret["secret"]["items"][0]
            assert "user" not in projected["projected"]["sources"][0]["serviceAccountToken"]

    on_server(test)


def test_a_claim_is_not_filled_from_another_namespace() -> None:
    path = "/api/v1/namespaces/default/persistentvolumeclaims"

    def claim(name: str, **spec: Any) -> Any:
        wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
        return {"metadata": {"name": name}, "spec": wanted}

    async def test(ask: Asker) -> None:
        source = {"kind": "PersistentVolumeClaim", "name": "x"}
        far = {**source, "namespace": "far"}
        spec = (await ask("POST", path, claim("a", dataSourceRef=far))).body["spec"]
        assert not {"dataSource", "dataSourceRef"} & spec.keys()
        spec = (await ask("POST", path, claim("b", dataSource=source, dataSourceRef=far))).body["spec"]
        assert spec["dataSource"] == spec["dataSourceRef"] == source
        odd = {"kind": "Odd", "apiGroup": "e.com", "name": "x"}
        spec = (await ask("POST", path, claim("c", dataSource=odd, dataSourceRef=source))).body["spec"]
        assert spec["dataSource"] == spec["dataSourceRef"] == source

    on_server(test)


def test_a_resize_keeps_all_else() -> None:
    async def test(ask: Asker) -> None:
        made = (await ask("POST", PODS, pod(resources={"requests": {"cpu": "1"}}))).body
        made["metadata"].pop("resourceVersion")
        made["spec"]["containers"][0]["image"] = "y"
        made["spec"]["resources"]["requests"]["cpu"] = "2"
        told = await ask("PUT", f"{PODS}/p/resize", made)
        assert told.status == 200
        assert told.body["spec"]["resources"]["requests"]["cpu"] == "2"
        assert told.body["spec"]["containers"][0]["image"] == "x"
        made["spec"]["containers"][0]["name"] = "d"
        refused = await ask("PUT", f"{PODS}/p/resize", made)
        assert refused.status == 422
        assert "spec.containers[0].name: Forbidden: containers may not be renamed or reordered" in refused.message

    on_server(test)


def test_the_status_of_a_volume_says_since_when() -> None:
    path = "/api/v1/persistentvolumes"

    async def test(ask: Asker) -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
        made = (await ask("POST", path, {"metadata": {"name": "v"}, "spec": spec})).body
        born = made["status"]["lastPhaseTransitionTime"]
        assert born == made["metadata"]["creationTimestamp"]

        async def told(**status: Any) -> Any:
            body = {**made, "metadata": {"name": "v"}, "status": status}
            return (await ask("PUT", f"{path}/v/status", body)).body["status"]

        assert (await told(phase="Pending"))["lastPhaseTransitionTime"] == born
        assert "lastPhaseTransitionTime" in await told(phase="Available")
        mine = "2020-01-01T00:00:00Z"
        assert (await told(phase="Bound", lastPhaseTransitionTime=mine))["lastPhaseTransitionTime"] == mine
        assert (await told(phase="Released", lastPhaseTransitionTime=mine))["lastPhaseTransitionTime"] > mine

    on_server(test)


def test_an_account_knows_secrets_by_name_alone() -> None:
    path = "/api/v1/namespaces/default/serviceaccounts"

    async def test(ask: Asker) -> None:
        secrets = [{"name": "s", "namespace": "n", "kind": "Secret"}]
        made = (await ask("POST", path, {"metadata": {"name": "a"}, "secrets": secrets})).body
        assert made["secrets"] == [{"name": "s"}]
        made["secrets"][0]["uid"] = "1"
        assert (await ask("PUT", f"{path}/a", made)).body["secrets"] == [{"name": "s"}]

    on_server(test)


def test_limits_need_no_name() -> None:
    async def test(ask: Asker) -> None:
        path = "/api/v1/namespaces/default/limitranges"
        made = await ask("POST", path, {"spec": {"limits": [{"type": "Pod"}]}})
        assert made.status == 201
        assert (await ask("GET", f"{path}/{made.body['metadata']['name']}")).status == 200

    on_server(test)


def test_a_binding_ends_a_nomination_and_counts_no_generation() -> None:
    async def test(ask: Asker) -> None:
        made = (await ask("POST", PODS, pod())).body
        gate = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        made["status"] = {"nominatedNodeName": "m", "conditions": [gate, {"type": "a/b", "status": "True"}]}
        assert (await ask("PUT", f"{PODS}/p/status", made)).status == 200
        binding = {"metadata": {"name": "p", "labels": {"zone": "z"}}, "target": {"kind": "Node", "name": "n"}}
        assert (await ask("POST", f"{PODS}/p/binding", binding)).status == 201
        bound = (await ask("GET", f"{PODS}/p")).body
        assert bound["metadata"]["generation"] == 1
        assert bound["metadata"]["labels"] == {"zone": "z"}
        assert "nominatedNodeName" not in bound["status"]
        first, second = bound["status"]["conditions"]
        assert (first["type"], first["status"], first.get("reason")) == ("PodScheduled", "True", None)
        assert second["type"] == "a/b"

    on_server(test)
