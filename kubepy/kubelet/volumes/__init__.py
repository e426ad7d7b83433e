"""One volume kind a file."""
