"""Calls to the webhooks of others: admission, conversion, tokens, access."""
