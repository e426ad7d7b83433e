"""Every pod runs as a service account: a name, its image pull secrets, and a token volume in each container.

Source: plugin/pkg/admission/serviceaccount.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

from kubepy.api import resources
from kubepy.api.pod_references import config_map_names, secret_names
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, PODS, UPDATE, Plugin
from kubepy.apiserver.lookup import Lookup, Object

MIRROR = "kubernetes.io/config.mirror"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_LIFETIME_S = 3607
VOLUME_PREFIX = "kube-api-access-"
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_ACCOUNTS = resources.named("serviceaccounts")
_LOOK_AGAIN_S = 0.1


class ServiceAccount(Plugin):
    """See the module's docstring."""

    name = "ServiceAccount"
    operations = frozenset((CREATE, UPDATE))
    targets = frozenset((PODS,))
    subresources = frozenset(("", "ephemeralcontainers"))

    def __init__(self, lookup: Lookup, wait_s: float = 1.5) -> None:
        self._lookup = lookup
        self._wait_s = wait_s

    async def admit(self, attributes: Attributes) -> None:
        """Gives a new pod its service account."""
        if attributes.operation != CREATE or attributes.subresource:
            return
        pod = attributes.new
        if is_mirror(pod):
            return
        spec = pod["spec"]
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = spec["serviceAccount"] = "default"
        account = await self._account(attributes)
        if should_automount(account, spec):
            mount_token(spec, new_volume_name)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(ref) for ref in account["imagePullSecrets"]]

    async def validate(self, attributes: Attributes) -> None:
        """Refuses accounts and secrets that the pod may not use."""
        pod = attributes.new
        if is_mirror(pod):
            if attributes.operation == CREATE and (why := mirror_fault(pod["spec"])):
                raise forbid(attributes, why)
            return
        if attributes.operation == UPDATE and attributes.subresource != "ephemeralcontainers":
            return
        account = await self._account(attributes)
        if (account["metadata"].get("annotations") or {}).get(_ENFORCE) != "true":
            return
        check = ephemeral_secret_fault if attributes.subresource else secret_fault
        if why := check(account, pod["spec"]):
            raise forbid(attributes, why)

    async def _account(self, attributes: Attributes) -> Object:
        name = attributes.new["spec"].get("serviceAccountName") or "default"
        found = self._lookup.get(_ACCOUNTS, name, attributes.namespace)
        if found is None:
            await self._lookup.fresh(_ACCOUNTS)
            found = self._lookup.get(_ACCOUNTS, name, attributes.namespace)
        tries = round(self._wait_s / _LOOK_AGAIN_S) if name == "default" else 0  # a loop makes it for new namespaces
        while found is None and tries:
            await asyncio.sleep(_LOOK_AGAIN_S)
            found = self._lookup.get(_ACCOUNTS, name, attributes.namespace)
            tries -= 1
        if found is None:
            where = f"{attributes.namespace}/{name}"
            raise forbid(attributes, f'error looking up service account {where}: serviceaccount "{name}" not found')
        return found


def is_mirror(pod: Object) -> bool:
    """Whether the pod only shows a static pod of a kubelet."""
    return MIRROR in (pod["metadata"].get("annotations") or {})


def mirror_fault(spec: Object) -> str | None:
    """Why a mirror pod with this spec is refused, or None."""
    if spec.get("serviceAccountName"):
        return "a mirror pod may not reference service accounts"
    if secret_names(spec):
        return "a mirror pod may not reference secrets"
    if config_map_names(spec):
        return "a mirror pod may not reference configmaps"
    for volume in spec.get("volumes") or ():
        if any("serviceAccountToken" in source for source in (volume.get("projected") or {}).get("sources") or ()):
            return "a mirror pod may not use ServiceAccountToken volume projections"
    return None


def should_automount(account: Object, spec: Object) -> bool:
    """The pod's own word counts first, then its account's; the default is yes."""
    for says in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if says is not None:
            return bool(says)
    return True


def mount_token(spec: Object, new_name: Callable[[], str]) -> None:
    """Adds the token volume and mounts it in every container that has nothing there yet."""
    volumes = spec.get("volumes") or []
    taken = {volume["name"] for volume in volumes}
    existing = next((name for name in sorted(taken) if name.startswith(VOLUME_PREFIX)), None)
    volume_name = existing or next(name for name in iter(new_name, None) if name not in taken)
    mounted = False
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        mounts = container.get("volumeMounts") or []
        if any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
            continue
        container["volumeMounts"] = [*mounts, {"name": volume_name, "readOnly": True, "mountPath": TOKEN_PATH}]
        mounted = True
    if mounted and existing is None:
        spec["volumes"] = [*volumes, token_volume(volume_name)]


def new_volume_name() -> str:
    """`kube-api-access-` and five random characters."""
    return VOLUME_PREFIX + "".join(random.choices(_ALPHABET, k=5))


def token_volume(name: str) -> dict[str, Any]:
    """The projected volume with a token, the cluster's authority and the namespace."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_LIFETIME_S, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
            "defaultMode": 420,
        },
    }


def secret_fault(account: Object, spec: Object) -> str | None:
    """Which secret an account that enforces its list does not let the pod mount, or None."""
    name = account["metadata"]["name"]
    mountable = {ref.get("name") for ref in account.get("secrets") or ()}
    for volume in spec.get("volumes") or ():
        secret = (volume.get("secret") or {}).get("secretName")
        if secret and secret not in mountable:
            return (
                f'volume with secret.secretName="{secret}" is not allowed because service account {name} '
                "does not reference that secret"
            )
    pull = {ref.get("name") for ref in account.get("imagePullSecrets") or ()}
    for index, ref in enumerate(spec.get("imagePullSecrets") or ()):
        if ref.get("name") not in pull:
            return (
                f'imagePullSecrets[{index}].name="{ref.get("name")}" is not allowed because service account {name} '
                "does not reference that imagePullSecret"
            )
    kinds = (("initContainers", "init container"), ("containers", "container"))
    return next(_environment_faults(account, spec, kinds), None)


def ephemeral_secret_fault(account: Object, spec: Object) -> str | None:
    """As secret_fault, of the containers that are added to a pod that is there."""
    return next(_environment_faults(account, spec, (("ephemeralContainers", "ephemeral container"),)), None)


def _environment_faults(account: Object, spec: Object, kinds: tuple[tuple[str, str], ...]) -> Iterator[str]:
    mountable = {ref.get("name") for ref in account.get("secrets") or ()}
    name = account["metadata"]["name"]
    for field, kind in kinds:
        for container in spec.get(field) or ():
            for source, ref in _environment_secrets(container):
                if ref not in mountable:
                    yield (
                        f'{kind} {container["name"]} with {source} referencing secret.secretName="{ref}" is not '
                        f"allowed because service account {name} does not reference that secret"
                    )


def _environment_secrets(container: Object) -> Iterator[tuple[str, str]]:
    """From where in its environment a container refers to which secret."""
    for variable in container.get("env") or ():
        if ref := (variable.get("valueFrom") or {}).get("secretKeyRef"):
            yield f"envVar {variable['name']}", ref.get("name") or ""
    for source in container.get("envFrom") or ():
        if ref := source.get("secretRef"):
            yield "envFrom", ref.get("name") or ""
