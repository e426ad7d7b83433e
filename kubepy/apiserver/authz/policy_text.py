"""Rules and subjects in shorthand, as the bootstrap policy is written down. Pure.

`get list | pods pods/log | core` is a rule on resources (`core`, or nothing, is the core group; a fourth column holds
resource names), `get | /version` one on URLs (`urls:*` is every URL); `User x, ServiceAccount ns/name` are subjects.
"""

from typing import Any

from kubepy.apiserver.authz.rules import Rule

READ = "get list watch"
READ_UPDATE = "get list watch update patch"
WRITE = "create update patch delete deletecollection"
READ_WRITE = f"{READ} {WRITE}"
_RBAC = "rbac.authorization.k8s.io"


def parse_rules(text: str) -> list[Rule]:
    """The rules of a role, in the order of their lines."""
    return [parse_rule(line) for line in text.splitlines() if line.strip()]


def parse_rule(line: str) -> Rule:
    """One rule."""
    columns = [column.split() for column in line.split("|")]
    verbs, things = sorted(columns[0]), columns[1]
    if things[0].startswith(("/", "urls:")):
        return {"nonResourceURLs": sorted(url.removeprefix("urls:") for url in things), "verbs": verbs}
    groups = columns[2] if len(columns) > 2 else ["core"]
    rule: Rule = {
        "apiGroups": sorted("" if group == "core" else group for group in groups),
        "resources": sorted(things),
        "verbs": verbs,
    }
    if len(columns) > 3:
        rule["resourceNames"] = sorted(columns[3])
    return rule


def parse_subjects(text: str) -> list[dict[str, Any]]:
    """The subjects of a binding."""
    return [_subject(*item.split()) for item in text.split(",") if item.strip()]


def _subject(kind: str, name: str) -> dict[str, Any]:
    if kind == "ServiceAccount":
        namespace, _, name = name.partition("/")
        return {"kind": kind, "name": name, "namespace": namespace}
    return {"apiGroup": _RBAC, "kind": kind, "name": name}
