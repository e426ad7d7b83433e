"""Webhooks of MutatingWebhookConfigurations and ValidatingWebhookConfigurations, as two plug-ins."""
