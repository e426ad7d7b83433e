"""JSON pointers: jsonpatch.escapeKey, for expressions that make JSON patches.

Source: apiserver pkg/cel/library/jsonpatch.go.
"""

from kubepy.apiserver.cel.registry import function, traversal


@function("jsonpatch:escapeKey(string) string", cost=traversal)
def escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
