"""The defaults that upstream sets on decoding, one module a group; pure, in place."""
