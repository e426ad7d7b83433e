"""Regular expressions: matches, find, findAll; by RE2, whose time grows with the text and never explodes.

The library that checks expressions brings RE2 with it, within functions of CEL: two small programs of it do the work.
Source: apiserver pkg/cel/library/regex.go.
"""

from functools import cache, lru_cache
from typing import Any

from kubepy.api.go_regexps import regexp_fault
from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function, searched


@cache
def _program(expression: str) -> Any:
    from cel_expr_python import cel  # only where an expression asks for it

    kinds = {"text": cel.Type.STRING, "pattern": cel.Type.STRING}
    config = cel.NewEnvConfigFromYaml("extensions: [{name: regex}, {name: optional}]")
    return cel.NewEnv(config=config, variables=kinds).compile(expression)


def _run(expression: str, text: str, pattern: str) -> Any:
    found = _program(expression).eval(data={"text": text, "pattern": pattern})
    if found.type().name() == "ERROR":
        raise EvaluationError(regexp_fault(pattern) or f"error parsing regexp: invalid pattern: `{pattern}`")
    return found.plain_value()


@lru_cache(1024)
def whole(pattern: str) -> str:
    """The pattern as one group, none of its own being captured: what is found is then the whole match."""
    found, at, in_class = [], 0, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            found.append(pattern[at : at + 2])
            at += 2
            continue
        if character == "[" and not in_class:
            in_class = True
            # A `]` that comes first stands for itself.
            width = 3 if pattern.startswith("[^]", at) else 2 if pattern.startswith("[]", at) else 1
            found.append(pattern[at : at + width])
            at += width
            continue
        in_class = in_class and character != "]"
        is_group = character == "(" and not in_class
        if is_group and pattern.startswith(("(?P<", "(?<"), at):
            found.append("(?:")
            at = pattern.find(">", at) + 1 or len(pattern)
            continue
        found.append("(?:" if is_group and not pattern.startswith("(?", at) else character)
        at += 1
    return f"({''.join(found)})"


@function("string.matches(string) bool", "matches(string, string) bool", cost=searched, standard=True)
def matches(text: str, pattern: str) -> bool:
    return bool(_run("text.matches(pattern)", text, pattern))


@function("string.find(string) string", cost=searched)
def find(text: str, pattern: str) -> str:
    return str(_run("regex.extract(text, pattern).orValue('')", text, whole(pattern)))


@function("string.findAll(string) list<string>", cost=searched)
def find_all(text: str, pattern: str) -> list[str]:
    return list(_run("regex.extractAll(text, pattern)", text, whole(pattern)))


@function("string.findAll(string, int) list<string>", cost=searched)
def find_some(text: str, pattern: str, limit: int) -> list[str]:
    found = find_all(text, pattern)
    return found if limit < 0 else found[:limit]
