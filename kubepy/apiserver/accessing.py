"""What users may do: the authorizers that the configuration names, and the file behind them, which may change.

Node and RBAC stay those of the start; webhooks come and go with --authorization-config.
Source: pkg/kubeapiserver/authorizer/{config,reload}.go.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from kubepy.apiserver.authz.abac import parse_policies
from kubepy.apiserver.authz.chain import Authorization, Authorizers
from kubepy.apiserver.authz.metrics import AuthorizationMetrics
from kubepy.apiserver.authz.settings import WEBHOOK, AuthorizerSettings, parse_settings, webhook_target
from kubepy.apiserver.authz.webhook import WebhookSettings
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.config.expressions import compile_expression
from kubepy.apiserver.config.reloads import Reloads
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.client import Webhooks
from kubepy.lib import file_watch, log

_log = log.get(__name__)


class Access:
    """See the module's docstring."""

    def __init__(
        self,
        config: ApiServerConfig,
        lookup: Lookup,
        webhooks: Webhooks,
        metrics: AuthorizationMetrics,
        reloads: Reloads,
    ) -> None:
        self._reloads = reloads
        self._path = config.authorization_config
        self._signature = file_watch.signature([self._path])
        path = config.authorization_policy_file
        policies = parse_policies(Path(path).read_text()) if path else ()
        self._authorizers = Authorizers(lookup, webhooks, policies, metrics)
        if self._path:
            settings, text = self._read()
            reloads.holds(text)
        else:
            settings = _settings_of_flags(config)
        self._needed = [one.mode for one in settings if one.mode != WEBHOOK]
        names = [one.name for one in settings]
        self.authorization = Authorization(self._authorizers.make(settings), metrics, names)

    def _read(self, needed: tuple[str, ...] = ()) -> tuple[list[AuthorizerSettings], str]:
        """What the file says, and its text. Raises OSError, ValueError."""
        text = Path(self._path).read_text()
        return parse_settings(text, compile_expression, needed), text

    def followers(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What takes in the file when it changes; each runs until cancelled."""
        return [self._follow] if self._path else []

    async def _follow(self) -> None:
        await file_watch.follow([self._path], self._reload, since=self._signature)

    async def _reload(self) -> None:
        try:
            settings, text = self._read(tuple(self._needed))
        except (OSError, ValueError) as fault:  # half written, or wrong: what was read before stays good
            _log.warning("authorization configuration not read again", file=self._path, error=fault)
            self._reloads.failed()
            return
        self.authorization.set_authorizers(self._authorizers.make(settings), [one.name for one in settings])
        self._reloads.succeeded(text)
        _log.info("authorization configuration read again", file=self._path)


def _settings_of_flags(config: ApiServerConfig) -> list[AuthorizerSettings]:
    """As if the flags --authorization-* had been a file."""
    return [
        AuthorizerSettings(mode, _webhook_of_flags(config) if mode == WEBHOOK else None)
        for mode in config.authorization_mode
    ]


def _webhook_of_flags(config: ApiServerConfig) -> WebhookSettings:
    return WebhookSettings(
        name="default",
        target=webhook_target(config.authorization_webhook_config_file),
        version=config.authorization_webhook_version,
        authorized_ttl_s=config.authorization_webhook_cache_authorized_ttl_s,
        unauthorized_ttl_s=config.authorization_webhook_cache_unauthorized_ttl_s,
    )
