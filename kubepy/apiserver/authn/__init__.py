"""Who is asking: one authenticator a file."""
