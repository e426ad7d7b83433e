"""Who may do what, over real TLS: certificates, tokens and the policies behind them."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest

from kubepy.api import resources
from kubepy.api.errors import Forbidden, NotFound, Unauthorized
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.apiserver.serving import Serving
from kubepy.client.client import Client
from kubepy.lib import pki
from kubepy.lib.kubeconfig import RestConfig
from kubepy.storage.embedded import EmbeddedStore

Object = dict[str, Any]
ISSUER = "https://kubernetes.default.svc.cluster.local"
CA, SERVICE_ACCOUNT_KEY = pki.new_ca("kubernetes"), pki.new_key()
SERVING = pki.issue(CA, "kube-apiserver", ips=["127.0.0.1"], client=False, server=True)
PODS, SECRETS, NODES = (resources.named(plural) for plural in ("pods", "secrets", "nodes"))
NAMESPACES, ACCOUNTS = resources.named("namespaces"), resources.named("serviceaccounts")
LEASES = resources.named("leases", "coordination.k8s.io")
ROLES = resources.named("roles", "rbac.authorization.k8s.io")
BINDINGS = resources.named("rolebindings", "rbac.authorization.k8s.io")
BOOTSTRAP_SECRET = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}


@dataclass
class Cluster:
    """A server on a real socket, and clients for whoever is asked for."""

    port: int
    clients: list[Client]

    def as_user(self, name: str, *groups: str) -> Client:
        leaf = pki.issue(CA, name, organizations=groups)
        return self._client(client_certificate=leaf.certificate_pem, client_key=leaf.key_pem)

    def with_token(self, token: str) -> Client:
        return self._client(token=token)

    @property
    def admin(self) -> Client:
        return self.as_user("admin", "system:masters")

    @property
    def stranger(self) -> Client:
        return self._client()

    def _client(self, **credentials: Any) -> Client:
        server = f"https://127.0.0.1:{self.port}"
        client = Client.from_config(RestConfig(server=server, ca=CA.certificate_pem, **credentials))
        self.clients.append(client)
        return client


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cluster]:
    def write(name: str, data: bytes) -> str:
        (folder / name).write_bytes(data)
        return str(folder / name)

    key = write("sa.key", pki.key_pem(SERVICE_ACCOUNT_KEY))
    config = ApiServerConfig(
        storage_backend="embedded",
        tls_cert_file=write("tls.crt", SERVING.certificate_pem),
        tls_private_key_file=write("tls.key", SERVING.key_pem),
        client_ca_file=write("ca.crt", CA.certificate_pem),
        service_account_issuer=(ISSUER,),
        service_account_key_file=(key,),
        service_account_signing_key_file=key,
        authorization_mode=("Node", "RBAC"),
        enable_admission_plugins=("NodeRestriction",),
        enable_bootstrap_token_auth=True,
    )
    store = EmbeddedStore()
    server = ApiServer(config, store, secure=secure)
    cluster = Cluster(0, [])
    try:
        await server.start()
        await server.wait_ready()
        cluster.port = (await server.listen("127.0.0.1", 0, tls=Serving(config).context)).port
        yield cluster
    finally:
        for client in cluster.clients:
            await client.close()
        await server.stop(0.1)
        await store.close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Cluster], Awaitable[None]]], None]:
    """Runs a story on a cluster of its own."""

    def play(story: Callable[[Cluster], Awaitable[None]]) -> None:
        async def main() -> None:
            async with running(tmp_path) as cluster:
                await story(cluster)

        asyncio.run(main())

    return play


def pod(name: str, node: str = "", account: str = "default", **spec: Any) -> Object:
    bound = {"nodeName": node} if node else {}
    spec = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": account, **bound, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def named(kind: str, name: str, api_version: str = "v1", **more: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, **more}


async def grant(admin: Client, user: str, verbs: list[str], *plurals: str) -> None:
    rules = [{"verbs": verbs, "apiGroups": [""], "resources": list(plurals)}]
    await admin.create(ROLES, named("Role", user, "rbac.authorization.k8s.io/v1", rules=rules))
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    more = {"roleRef": ref, "subjects": [subject]}
    await admin.create(BINDINGS, named("RoleBinding", user, "rbac.authorization.k8s.io/v1", **more))


async def request_token(client: Client, account: str, **spec: Any) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    made = await client.create(ACCOUNTS, body, "default", name=account, subresource="token")
    token: str = made["status"]["token"]
    return token


async def new_account(admin: Client, name: str = "default") -> None:
    await admin.create(ACCOUNTS, named("ServiceAccount", name))


Run = Callable[[Callable[[Cluster], Awaitable[None]]], None]


def test_rbac_denies_what_no_binding_grants(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        alice = cluster.as_user("alice", "dev")
        with pytest.raises(Forbidden) as caught:
            await alice.list(PODS, "default")
        assert caught.value.message == (
            'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"'
        )
        await grant(cluster.admin, "alice", ["list"], "pods")
        assert (await alice.list(PODS, "default"))["items"] == []
        with pytest.raises(Forbidden):
            await alice.list(PODS, "kube-system")

    run(story)


def test_nobody_grants_more_than_he_has(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin, alice = cluster.admin, cluster.as_user("alice")
        rules = [{"verbs": ["create"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]}]
        await grant(admin, "alice", ["get"], "pods")
        role = await admin.get(ROLES, "alice", "default")
        await admin.update(ROLES, {**role, "rules": role["rules"] + rules})
        fine = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
        await alice.create(ROLES, named("Role", "fine", "rbac.authorization.k8s.io/v1", rules=fine))
        more = [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]
        with pytest.raises(Forbidden, match="is attempting to grant RBAC permissions not currently held"):
            await alice.create(ROLES, named("Role", "more", "rbac.authorization.k8s.io/v1", rules=more))

    run(story)


def test_a_kubelet_touches_only_its_own_node_and_the_secrets_of_its_pods(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin, kubelet = cluster.admin, cluster.as_user("system:node:n1", "system:nodes")
        await new_account(admin)
        for name in ("used", "other"):
            await admin.create(SECRETS, named("Secret", name))
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
        await kubelet.create(NODES, node)
        await kubelet.patch(NODES, "n1", {"status": {"phase": "Running"}}, subresource="status")
        with pytest.raises(Forbidden, match='node "n1" is not allowed to modify node "n2"'):
            await kubelet.create(NODES, {**node, "metadata": {"name": "n2"}})
        with pytest.raises(Forbidden, match=r"is not allowed to modify labels: node-restriction\.kubernetes\.io/x"):
            await kubelet.patch(NODES, "n1", {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "y"}}})
        volume = {"name": "v", "secret": {"secretName": "used"}}
        await admin.create(PODS, pod("web", "n1", volumes=[volume]))
        assert (await kubelet.get(SECRETS, "used", "default"))["metadata"]["name"] == "used"
        with pytest.raises(Forbidden, match="no relationship found between node 'n1' and this object"):
            await kubelet.get(SECRETS, "other", "default")
        own = await kubelet.list(PODS, field_selector="spec.nodeName=n1")
        assert [found["metadata"]["name"] for found in own["items"]] == ["web"]
        with pytest.raises(Forbidden, match="can only list/watch pods with"):
            await kubelet.list(PODS)
        spec = {"holderIdentity": "n1", "leaseDurationSeconds": 40}
        lease = {**named("Lease", "n1", "coordination.k8s.io/v1"), "spec": spec}
        lease["metadata"]["namespace"] = "kube-node-lease"
        await kubelet.create(LEASES, lease)
        with pytest.raises(Forbidden):
            await kubelet.get(LEASES, "n2", "kube-node-lease")

    run(story)


def test_a_token_for_a_pod_works_until_the_pod_goes(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin, kubelet = cluster.admin, cluster.as_user("system:node:n1", "system:nodes")
        await new_account(admin, "robot")
        web = await admin.create(PODS, pod("web", "n1", "robot"))
        ref = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": web["metadata"]["uid"]}
        with pytest.raises(Forbidden, match="node requested token not bound to a pod"):
            await request_token(kubelet, "robot")
        token = await request_token(kubelet, "robot", boundObjectRef=ref, expirationSeconds=600)
        claims = jwt.decode(token, SERVICE_ACCOUNT_KEY.public_key(), algorithms=["ES256"], audience=ISSUER)  # type: ignore[arg-type]
        assert claims["kubernetes.io"]["pod"]["name"] == "web"
        assert claims["exp"] - claims["iat"] == 600
        robot = cluster.with_token(token)
        with pytest.raises(Forbidden, match='User "system:serviceaccount:default:robot" cannot list'):
            await robot.list(PODS, "default")
        unused = await request_token(kubelet, "robot", boundObjectRef=ref)
        await admin.delete(PODS, "web", "default", grace_period_s=0)
        with pytest.raises(Unauthorized):
            await cluster.with_token(unused).list(PODS, "default")
        late = cluster.with_token(await request_token(admin, "robot"))
        with pytest.raises(Forbidden):
            await late.list(PODS, "default")
        await admin.delete(ACCOUNTS, "robot", "default")
        with pytest.raises(NotFound):
            await request_token(admin, "robot")

    run(story)


def test_token_reviews_tell_dead_tokens_from_live_ones(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin = cluster.admin
        await new_account(admin, "robot")
        token = await request_token(admin, "robot", audiences=["vault"])
        reviews = resources.named("tokenreviews", "authentication.k8s.io")

        async def review(**spec: Any) -> Object:
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
            status: Object = (await admin.create(reviews, body))["status"]
            return status

        good = await review(token=token, audiences=["vault", "other"])
        assert good["authenticated"] is True
        assert good["audiences"] == ["vault"]
        assert good["user"]["username"] == "system:serviceaccount:default:robot"
        assert not (await review(token=token)).get("authenticated")
        assert not (await review(token=token[:-8] + "AAAAAAAA", audiences=["vault"])).get("authenticated")
        with pytest.raises(Unauthorized):
            await cluster.with_token(token).list(PODS, "default")

    run(story)


def test_a_bootstrap_token_may_ask_for_a_certificate_once_it_is_bound_to_that(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin = cluster.admin
        data = {key: base64.b64encode(value.encode()).decode() for key, value in BOOTSTRAP_SECRET.items()}
        secret = named("Secret", "bootstrap-token-abcdef", type="bootstrap.kubernetes.io/token", data=data)
        secret["metadata"]["namespace"] = "kube-system"
        await admin.create(SECRETS, secret)
        joining = cluster.with_token("abcdef.0123456789abcdef")
        requests = resources.named("certificatesigningrequests", "certificates.k8s.io")
        asked = pki.new_request(pki.new_key(), "system:node:n1", organizations=["system:nodes"])
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": "csr-n1"},
            "spec": {
                "request": base64.b64encode(asked).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "client auth"],
            },
        }
        with pytest.raises(Forbidden, match='User "system:bootstrap:abcdef" cannot create'):
            await joining.create(requests, body)
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:bootstrappers"}
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:node-bootstrapper"}
        binding = named("ClusterRoleBinding", "join", "rbac.authorization.k8s.io/v1", roleRef=ref, subjects=[group])
        del binding["metadata"]["namespace"]
        await admin.create(resources.named("clusterrolebindings", "rbac.authorization.k8s.io"), binding)
        made = await joining.create(requests, body)
        assert made["spec"]["username"] == "system:bootstrap:abcdef"
        assert "system:bootstrappers" in made["spec"]["groups"]

    run(story)


def test_a_namespace_that_goes_takes_nothing_new(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin = cluster.admin
        await admin.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
        await admin.delete(NAMESPACES, "team")
        secret = named("Secret", "late")
        secret["metadata"]["namespace"] = "team"
        with pytest.raises(Forbidden, match="because it is being terminated"):
            await admin.create(SECRETS, secret)
        with pytest.raises(Forbidden, match="this namespace may not be deleted"):
            await admin.delete(NAMESPACES, "default")

    run(story)


def test_pods_that_break_the_enforced_standard_are_refused(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin = cluster.admin
        await new_account(admin)
        labels = {"pod-security.kubernetes.io/enforce": "baseline"}
        await admin.patch(NAMESPACES, "default", {"metadata": {"labels": labels}})
        with pytest.raises(Forbidden, match=r'violates PodSecurity "baseline:latest": host namespaces \(hostNetwork'):
            await admin.create(PODS, pod("bad", hostNetwork=True))
        await admin.create(PODS, pod("good"))

    run(story)


def test_of_writes_that_race_for_the_last_room_one_wins(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        admin = cluster.admin
        quotas = resources.named("resourcequotas")
        await admin.create(quotas, named("ResourceQuota", "few", spec={"hard": {"count/secrets": "3"}}))
        writes = (admin.create(SECRETS, named("Secret", f"s{n}")) for n in range(8))
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Forbidden)]
        assert len(refused) == 5
        assert "exceeded quota: few, requested: count/secrets=1, used: count/secrets=3, limited: count/secrets=3" in (
            refused[0].message
        )
        used = (await admin.get(quotas, "few", "default"))["status"]["used"]
        assert used == {"count/secrets": "3"}
        stored = (await admin.list(SECRETS, "default"))["items"]
        await admin.delete(SECRETS, stored[0]["metadata"]["name"], "default")
        await admin.create(SECRETS, named("Secret", "again"))

    run(story)


def test_strangers_see_health_and_version_and_service_accounts_the_issuers_keys(run: Run) -> None:
    async def story(cluster: Cluster) -> None:
        stranger = cluster.stranger
        for path, status in (("/version", 200), ("/readyz", 200), ("/api", 403), ("/openid/v1/jwks", 403)):
            assert (await stranger.request("GET", path)).status == status, path
        await new_account(cluster.admin, "robot")
        robot = cluster.with_token(await request_token(cluster.admin, "robot"))
        keys = await robot.request("GET", "/openid/v1/jwks")
        assert keys.status == 200
        assert [key["kty"] for key in orjson.loads(keys.body)["keys"]] == ["EC"]
        document = await robot.request("GET", "/.well-known/openid-configuration")
        assert orjson.loads(document.body)["issuer"] == ISSUER

    run(story)
