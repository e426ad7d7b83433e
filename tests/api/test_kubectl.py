"""Every kubectl of this machine, unmodified, against a real server: the commands that people type."""

import asyncio
from pathlib import Path

import pytest

from tests.api.serving import Api, kubectl, kubectls, on_api

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: applied}
spec:
  selector: {matchLabels: {app: applied}}
  template:
    metadata: {labels: {app: applied}}
    spec: {containers: [{name: c, image: "image:REPLACED"}]}
---
apiVersion: v1
kind: Service
metadata: {name: applied}
spec: {selector: {app: applied}, ports: [{port: 80}]}
"""


@pytest.fixture(params=kubectls(), ids=lambda path: Path(path).name)
def binary(request: pytest.FixtureRequest) -> str:
    path: str = request.param
    return path


def test_objects_are_made_shown_changed_and_deleted(tmp_path: Path, binary: str) -> None:
    async def test(api: Api) -> None:
        async def run(*arguments: str, stdin: str = "") -> str:
            return await kubectl(binary, api, *arguments, stdin=stdin)

        made = await run("create", "deployment", "web", "--image=nginx", "--replicas=3")
        assert "deployment.apps/web created" in made
        assert "0/3" in await run("get", "deployments", "-o", "wide")
        assert "scaled" in await run("scale", "deployment/web", "--replicas=5")
        assert await run("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "5"
        assert "exposed" in await run("expose", "deployment", "web", "--port=80")
        assert "image updated" in await run("set", "image", "deployment/web", "nginx=nginx:2")
        assert "deployment.apps/web" in await run("get", "all")
        assert "labeled" in await run("label", "deployment", "web", "tier=front")
        assert "front" in await run("get", "deployments", "-L", "tier")
        assert "Replicas:" in await run("describe", "deployment", "web")
        assert "deleted" in await run("delete", "deployment,service", "web")
        assert "pod/p created" in await run("run", "p", "--image=busybox")
        assert "Pending" in await run("get", "pods")
        assert "deleted" in await run("delete", "pod", "p")

    on_api(tmp_path, test)


def test_manifests_are_applied_edited_and_explained(tmp_path: Path, binary: str) -> None:
    async def test(api: Api) -> None:
        async def run(*arguments: str, stdin: str = "", check: bool = True) -> str:
            return await kubectl(binary, api, *arguments, stdin=stdin, check=check)

        assert "deployment.apps/applied created" in await run("apply", "-f", "-", stdin=MANIFEST)
        unchanged = await run("apply", "-f", "-", stdin=MANIFEST)
        assert "deployment.apps/applied unchanged" in unchanged
        assert "service/applied unchanged" in unchanged
        assert "edited" in await run("edit", "deployment", "applied")
        image = "jsonpath={.spec.template.spec.containers[0].image}"
        assert await run("get", "deployment", "applied", "-o", image) == "image:EDITED"
        assert "image updated" in await run("set", "image", "deployment/applied", "c=image:SET")
        conflict = await run("apply", "--server-side", "-f", "-", stdin=MANIFEST, check=False)
        assert "conflict" in conflict
        assert "image:REPLACED" in await run(
            "diff", "--server-side", "--force-conflicts", "-f", "-", stdin=MANIFEST, check=False
        )
        assert "serverside-applied" in await run(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=MANIFEST
        )
        told = await run("apply", "view-last-applied", "deployment", "applied")
        assert "image: image:REPLACED" in told
        assert "<[]Container>" in await run("explain", "pod.spec.containers")
        misspelt = MANIFEST.replace("containers:", "bogus: 1, containers:")
        wrong = await run("apply", "-f", "-", stdin=misspelt, check=False)
        assert "bogus" in wrong
        assert "deleted" in await run("delete", "-f", "-", stdin=MANIFEST)

    on_api(tmp_path, test)


def test_what_is_there_is_told(tmp_path: Path, binary: str) -> None:
    async def test(api: Api) -> None:
        async def run(*arguments: str) -> str:
            return await kubectl(binary, api, *arguments)

        assert "v1.37.0" in await run("version", "--output=yaml")
        resources = await run("api-resources")
        assert all(word in resources for word in ("deployments", "deploy", "poddisruptionbudgets", "RuntimeClass"))
        assert "apps/v1" in await run("api-versions")
        assert "kube-system" in await run("get", "namespaces")
        assert "10.96.0.1" in await run("get", "service", "kubernetes")
        assert (await run("auth", "can-i", "create", "pods")).startswith("yes")
        assert "etcd-0" in await run("get", "componentstatuses")

    on_api(tmp_path, test)


def test_watch_shows_changes_as_they_come(tmp_path: Path, binary: str) -> None:
    async def test(api: Api) -> None:
        process = await asyncio.create_subprocess_exec(
            binary, f"--kubeconfig={api.kubeconfig}", "get", "configmaps", "--watch-only", "-o", "name",
            stdout=asyncio.subprocess.PIPE, env={"HOME": str(tmp_path)},
        )  # fmt: skip
        assert process.stdout is not None
        reading = asyncio.ensure_future(process.stdout.readline())
        while not reading.done():  # when the watch is open cannot be seen from outside
            await api.call("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"generateName": "seen-"}})
            await asyncio.wait([reading], timeout=0.2)
        assert (await reading).startswith(b"configmap/seen-")
        process.kill()
        await process.wait()

    on_api(tmp_path, test)
