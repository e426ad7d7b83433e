"""One strategy a file: what happens to a kind before it is stored."""
