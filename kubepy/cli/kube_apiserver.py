"""The process `kube-apiserver`: flags, a store, the server, its sockets.

Start: caches first, then sockets; the objects that a cluster has from its first moment follow while it already serves
(see /readyz). Stop: not ready, then (--shutdown-delay-duration) sockets, then watches, then the store. A store that is
away is waited for, never a reason to end.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from kubepy.apiserver import memory
from kubepy.apiserver.audit.handler import Auditor
from kubepy.apiserver.audit.policy import parse_policy
from kubepy.apiserver.audit.sink import AuditFile
from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.browsers import cross_origin, strict_transport
from kubepy.apiserver.config import FLAGS, ApiServerConfig, read
from kubepy.apiserver.encryption import parse_encryption_config
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.apiserver.serving import Serving
from kubepy.cli.daemon import start
from kubepy.lib import daemon, log, tasks
from kubepy.lib.http import Answer, Handler, Request
from kubepy.storage.base import Store
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.encrypted import EncryptedStore
from kubepy.storage.etcd import EtcdStore

_ABOUT = "Validates and configures data for the API objects, and serves them: the front of the cluster's shared state."
_UNSECURED = UserInfo("system:unsecured", groups=(PRIVILEGED_GROUP, ALL_AUTHENTICATED))
_DRAIN_S = 60.0
"""How long requests in flight may go on at the end, where they may take for ever."""
_log = log.get(__name__)


async def run(config: ApiServerConfig) -> None:
    """The daemon; returns only when cancelled."""
    store = open_store(config)
    server = ApiServer(config, store, secure=secure)
    audit = open_audit_log(config)
    scope = tasks.Scope()
    try:
        await server.start()
        handler = audited(config, server, audit)
        if config.secure_port:
            serving = Serving(config)
            shown = strict_transport(
                config.strict_transport_security_directives, cross_origin(config.cors_allowed_origins, handler)
            )
            await server.listen(config.bind_address, config.secure_port, tls=serving.context, handler=shown)
            scope.start(serving.follow(), name="serving certificates")
        if config.insecure_port:
            await server.listen(
                config.insecure_bind_address, config.insecure_port, tls=None, handler=unsecured(handler)
            )
        _log.info("serving", address=config.bind_address, port=config.secure_port or config.insecure_port)
        memory.settle()
        daemon.notify_ready()
        await asyncio.Event().wait()
    finally:
        await scope.close()
        await server.retire()
        await server.stop(config.request_timeout_s or _DRAIN_S)
        await store.close()
        if audit is not None:
            await asyncio.to_thread(audit.close)


def open_store(config: ApiServerConfig) -> Store:
    """The store that the flags name, encrypted as they say; nothing is connected yet."""
    store = open_backend(config)
    if not config.encryption_provider_config:
        return store
    return EncryptedStore(store, parse_encryption_config(Path(config.encryption_provider_config).read_text()))


def open_backend(config: ApiServerConfig) -> Store:
    """The store itself."""
    if config.storage_backend == "embedded":
        if not config.data_dir:
            return EmbeddedStore()
        folder = Path(config.data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        return EmbeddedStore(str(folder / "state.db"))
    return EtcdStore(
        list(config.etcd_servers), ca=config.etcd_cafile, cert=config.etcd_certfile, key=config.etcd_keyfile
    )


def open_audit_log(config: ApiServerConfig) -> AuditFile | None:
    """The audit log, or None where nothing is audited."""
    if not config.audit_log_path:
        return None
    return AuditFile(
        config.audit_log_path,
        most_mb=config.audit_log_maxsize,
        backups=config.audit_log_maxbackup,
        days=config.audit_log_maxage,
    )


def audited(config: ApiServerConfig, server: ApiServer, log_file: AuditFile | None) -> Handler:
    """The server's handler, its requests written to the audit log if there is one."""
    if log_file is None:
        return server.handler
    policy = parse_policy(Path(config.audit_policy_file).read_text())
    authorizer = server.security.authorizer
    return Auditor(
        server.handler, policy, log_file, authorizer if isinstance(authorizer, Authorization) else None
    ).handle


def unsecured(handler: Handler) -> Handler:
    """The handler of the insecure port: whoever reaches it may do everything, as in the days of old."""

    async def handle(request: Request) -> Answer:
        request.context["user"] = _UNSECURED
        return await handler(request)

    return handle


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    return start("kube-apiserver", _ABOUT, FLAGS, argv, read=read, run=run, verbosity=lambda config: config.v)


if __name__ == "__main__":
    sys.exit(main())
