"""Encryption at rest: the file, the ciphers, and a store behind them."""

import asyncio
import base64
import contextlib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kubepy.api import resources
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.config.encryption import (
    AesCbc,
    AesGcm,
    EncryptionError,
    Identity,
    SecretBox,
    parse_encryption_config,
)
from kubepy.apiserver.config.reloads import Reloads
from kubepy.apiserver.server import ApiServer
from kubepy.cli.kube_apiserver import Keys
from kubepy.storage.base import Change, RevisionConflict
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.encrypted import EncryptedStore, Transformer, Unreadable

KEY = "/registry/secrets/default/s"
SECRETS = resources.named("secrets")
OLD, NEW = b"o" * 32, b"n" * 32


def config(*providers: str, names: str = "[secrets]") -> str:
    listed = "".join(f"\n  - {provider}" for provider in providers)
    head = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n"
    return f"{head}resources:\n- resources: {names}\n  providers:{listed}\n"


def cipher(kind: str, name: str, secret: bytes) -> str:
    return f"{kind}: {{keys: [{{name: {name}, secret: {base64.b64encode(secret).decode()}}}]}}"


@pytest.mark.parametrize("transformer", [AesGcm("k", NEW), AesCbc("k", NEW), SecretBox("k", NEW), Identity()])
@pytest.mark.parametrize("value", [b"", b"x" * 16, b'{"kind":"Secret"}'])
def test_what_goes_in_comes_out(transformer: Transformer, value: bytes) -> None:
    assert transformer.decrypt(transformer.encrypt(value, KEY), KEY) == value


@pytest.mark.parametrize("maker", [AesGcm, AesCbc, SecretBox])
def test_another_key_reads_nothing_and_no_value_is_stored_twice_alike(maker: type[AesGcm]) -> None:
    value = b'{"kind":"Secret","data":"a long enough one"}' * 4
    sealed = maker("k", NEW).encrypt(value, KEY)
    assert sealed != maker("k", NEW).encrypt(value, KEY)
    with contextlib.suppress(Unreadable):
        assert maker("k", OLD).decrypt(sealed, KEY) != value


def test_a_sealed_value_cannot_be_moved_to_another_key() -> None:
    gcm = AesGcm("k", NEW)
    with pytest.raises(Unreadable):
        gcm.decrypt(gcm.encrypt(b"x", KEY), KEY + "2")


def test_the_first_provider_writes_and_all_of_them_read() -> None:
    async def story() -> None:
        store = EmbeddedStore()
        before = EncryptedStore(store, parse_encryption_config(config(cipher("aescbc", "old", OLD), "identity: {}")))
        after_file = config(cipher("aesgcm", "new", NEW), cipher("aescbc", "old", OLD), "identity: {}")
        after = EncryptedStore(store, parse_encryption_config(after_file))
        await store.create("/registry/secrets/default/plain", b"{}")
        revision = await before.create(KEY, b'{"a":1}')
        assert (await store.get(KEY)).value.startswith(b"k8s:enc:aescbc:v1:old:")
        assert (await after.get(KEY)).value == b'{"a":1}'
        await after.update(KEY, b'{"a":2}', revision=revision)
        assert (await store.get(KEY)).value.startswith(b"k8s:enc:aesgcm:v1:new:")
        entries, _ = await after.list("/registry/secrets/")
        assert [entry.value for entry in entries] == [b"{}", b'{"a":2}']
        with pytest.raises(RevisionConflict) as caught:
            await after.update(KEY, b"{}", revision=revision)
        assert caught.value.current.value == b'{"a":2}'
        await after.create("/registry/configmaps/default/c", b"{}")
        assert (await store.get("/registry/configmaps/default/c")).value == b"{}"
        await after.close()

    asyncio.run(story())


def test_identity_before_a_cipher_takes_the_encryption_away() -> None:
    async def story() -> None:
        store = EmbeddedStore()
        sealed = EncryptedStore(store, parse_encryption_config(config(cipher("aescbc", "k", OLD))))
        await sealed.create(KEY, b"{}")
        sealed.set_transformers(parse_encryption_config(config("identity: {}", cipher("aescbc", "k", OLD))))
        assert (await sealed.get(KEY)).value == b"{}"
        await sealed.create("/registry/secrets/default/new", b"{}")
        assert (await store.get("/registry/secrets/default/new")).value == b"{}"
        await sealed.close()

    asyncio.run(story())


def test_keys_of_the_same_name_are_all_tried() -> None:
    kinds = config(cipher("aesgcm", "k", NEW), cipher("aesgcm", "k", OLD))
    store = EncryptedStore(EmbeddedStore(), parse_encryption_config(kinds))
    old = EncryptedStore(EmbeddedStore(), parse_encryption_config(config(cipher("aesgcm", "k", OLD))))
    assert store.unseal(KEY, old.seal(KEY, b"{}")) == b"{}"


def test_custom_resources_are_encrypted_by_name_by_group_and_with_all_others() -> None:
    def is_sealed(names: str, key: str) -> bool:
        store = EncryptedStore(
            EmbeddedStore(), parse_encryption_config(config(cipher("aesgcm", "k", NEW), names=names))
        )
        return store.seal(key, b"{}") != b"{}"

    mug = "/registry/cups.example/mugs/default/a"
    assert is_sealed("[mugs.cups.example]", mug)
    assert not is_sealed("[mugs.cups.example]", "/registry/cups.example/glasses/default/a")
    assert is_sealed("['*.cups.example']", "/registry/cups.example/glasses/default/a")
    assert is_sealed("['*.*']", mug)
    assert not is_sealed("['*.*']", "/registry/masterleases/10.0.0.1")
    assert not is_sealed("['*.apps']", mug)


def test_replacing_an_object_by_itself_encrypts_it_anew() -> None:
    """As upstream's users do it after they have changed keys."""

    async def story() -> None:
        inner = EmbeddedStore()
        store = EncryptedStore(inner, parse_encryption_config(config(cipher("aescbc", "old", OLD))))
        server = ApiServer(ApiServerConfig(storage_backend="embedded"), store)
        await server.start()
        await server.wait_ready()
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}}
        made = await server.client.create(SECRETS, body)
        assert (await server.client.update(SECRETS, made))["metadata"] == made["metadata"]
        store.set_transformers(
            parse_encryption_config(config(cipher("aesgcm", "new", NEW), cipher("aescbc", "old", OLD)))
        )
        again = await server.client.update(SECRETS, made)
        assert again["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
        assert (await inner.get(KEY)).value.startswith(b"k8s:enc:aesgcm:v1:new:")
        assert await server.client.update(SECRETS, again) == again
        await server.stop()
        await store.close()

    asyncio.run(story())


def test_a_file_of_keys_that_is_not_good_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    settings = ApiServerConfig(encryption_provider_config=str(path))
    path.write_text(config(cipher("aesgcm", "old", OLD)))
    keys, registry = Keys(settings, EmbeddedStore()), CollectorRegistry()
    reloads = Reloads("encryption", registry)
    path.write_text("nonsense")
    asyncio.run(keys.read_again(reloads))
    assert keys.store.seal(KEY, b"{}").startswith(b"k8s:enc:aesgcm:v1:old:")
    path.write_text(config(cipher("aesgcm", "new", NEW)))
    asyncio.run(keys.read_again(reloads))
    assert keys.store.seal(KEY, b"{}").startswith(b"k8s:enc:aesgcm:v1:new:")
    lines = generate_latest(registry).decode().splitlines()
    counted = "apiserver_encryption_config_controller_automatic_reloads_total{"
    for status in ("failure", "success"):
        assert any(line.startswith(counted) and line.endswith(f'status="{status}"}} 1.0') for line in lines)


def test_a_watch_tells_values_in_the_clear() -> None:
    async def story() -> None:
        store = EncryptedStore(EmbeddedStore(), parse_encryption_config(config(cipher("aesgcm", "k", NEW))))
        start = await store.revision()
        watch = store.watch("/registry/secrets/", revision=start)
        revision = await store.create(KEY, b"1")
        await store.update(KEY, b"2", revision=revision)
        told: list[Change] = []
        async with asyncio.timeout(5):
            while len(told) < 2:
                batch = await anext(watch)
                told += batch if isinstance(batch, list) else []
        assert [(change.previous, change.value) for change in told] == [(None, b"1"), (b"1", b"2")]
        await watch.aclose()
        await store.close()

    asyncio.run(story())


def test_a_value_under_a_lost_key_comes_out_as_it_is() -> None:
    store = EncryptedStore(EmbeddedStore(), parse_encryption_config(config(cipher("aesgcm", "k", NEW))))
    lost = EncryptedStore(EmbeddedStore(), parse_encryption_config(config("identity: {}")))
    sealed = store.seal(KEY, b"x")
    assert lost.unseal(KEY, sealed) == sealed


@pytest.mark.parametrize(
    ("names", "prefixes"),
    [
        ("[secrets, deployments.apps]", {"/registry/secrets/", "/registry/deployments/"}),
        ("['*.batch']", {"/registry/cronjobs/", "/registry/jobs/"}),
        ("[services]", {"/registry/services/specs/"}),
    ],
)
def test_resources_are_named_by_plural_and_group(names: str, prefixes: set[str]) -> None:
    assert set(parse_encryption_config(config("identity: {}", names=names))) == prefixes


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[", "not YAML"),
        ("kind: Other", "kind must be EncryptionConfiguration"),
        (config("kms: {}"), "provider 'kms' is not supported"),
        (config("aescbc: {}"), "keys: Required value"),
        (config(cipher("aesgcm", "k", b"short")), "must be of length 16, 24, 32, is 5"),
        (config("aesgcm: {keys: [{name: k, secret: '%'}]}"), "secret must be base64 encoded"),
        (config("identity: {}", names="[gizmos]"), "no resource is called 'gizmos'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(text: str, fault: str) -> None:
    with pytest.raises(EncryptionError) as caught:
        parse_encryption_config(text)
    assert any(fault in one for one in caught.value.faults), caught.value.faults
