"""Where audit events go, as the configuration says: a file, a webhook, or both.

Source: apiserver pkg/server/options/audit.go (ApplyTo).
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from kubepy.apiserver.audit.metrics import AuditMetrics
from kubepy.apiserver.audit.sink import AuditFile
from kubepy.apiserver.audit.webhook import AuditWebhook, Batching
from kubepy.apiserver.authz.settings import webhook_target
from kubepy.apiserver.config.auditing import BATCH, AuditConfig
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.client import WebhookClient


class Backends:
    """All backends as one sink. `background` is what runs beside the server; `close` ends the backends, all written."""

    def __init__(self, config: AuditConfig, lookup: Lookup, metrics: AuditMetrics) -> None:
        self._client: WebhookClient | None = None
        self._file = _file(config, metrics)
        self._webhook: AuditWebhook | None = None
        self.background: list[Callable[[], Coroutine[Any, Any, None]]] = []
        if config.audit_webhook_config_file:
            self._client = client = WebhookClient(lookup, agent="kube-apiserver")
            target = webhook_target(config.audit_webhook_config_file)
            batching = _batching(config)
            self._webhook = AuditWebhook(lambda body: client.tell(target, body), batching, metrics)
            if not batching.waits:
                self.background.append(self._webhook.run)

    def write(self, event: Mapping[str, Any]) -> None:
        """Takes an event without waiting."""
        if self._file is not None:
            self._file.write(event)
        if self._webhook is not None:
            self._webhook.write(event)

    async def settle(self) -> None:
        """Returns when what was written may be left to the backends."""
        if self._webhook is not None:
            await self._webhook.settle()

    async def close(self) -> None:
        """Sends and writes what is left."""
        if self._webhook is not None:
            await self._webhook.close()
        if self._client is not None:
            await self._client.close()
        if self._file is not None:
            await asyncio.to_thread(self._file.close)


def _file(config: AuditConfig, metrics: AuditMetrics) -> AuditFile | None:
    if not config.audit_log_path:
        return None
    return AuditFile(
        config.audit_log_path,
        most_mb=config.audit_log_maxsize,
        backups=config.audit_log_maxbackup,
        days=config.audit_log_maxage,
        compress=config.audit_log_compress,
        is_text=config.audit_log_format == "legacy",
        most_event_bytes=config.audit_log_truncate_max_event_size if config.audit_log_truncate_enabled else None,
        metrics=metrics,
    )


def _batching(config: AuditConfig) -> Batching:
    cuts = config.audit_webhook_truncate_enabled
    return Batching(
        waits=config.audit_webhook_mode != BATCH,
        buffer=config.audit_webhook_batch_buffer_size,
        most=config.audit_webhook_batch_max_size,
        wait_s=config.audit_webhook_batch_max_wait_s,
        qps=config.audit_webhook_batch_throttle_qps if config.audit_webhook_batch_throttle_enable else 0.0,
        burst=config.audit_webhook_batch_throttle_burst,
        first_pause_s=config.audit_webhook_initial_backoff_s,
        most_event_bytes=config.audit_webhook_truncate_max_event_size if cuts else None,
        most_batch_bytes=config.audit_webhook_truncate_max_batch_size if cuts else None,
    )
