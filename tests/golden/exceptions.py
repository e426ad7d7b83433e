"""The recorded answers that kubepy rightly gives otherwise, or cannot give yet; each with its reason.

kubepy serves v1.37; the recording is of v1.20. A key is (scenario, step).
"""

from collections.abc import Mapping

_RESTARTS = "the cell of restarts is text since v1.22: it also tells when the last one was"
_STALE_SERVICE = "since v1.24 the version is compared first: 409 before the cluster address is looked at"
_NOT_RECORDED_HERE = "an object of a scenario that is not in this folder"
_SINGULAR = "discovery tells the singular name since v1.27"
_DIRECTIVES = "directives in a part that the object lacks are dropped since v1.25, not taken as values"
_COLUMNS = "a column was added since"
_TYPES = "a value of a wrong type is a cause of its own since v1.23: FieldValueTypeInvalid"
_SERVED = "which groups and paths are served, and where, differs by release and server"

EXCEPTIONS: Mapping[tuple[str, int], str] = {
    ("create-pod", 3): _RESTARTS,
    ("create-pod-rich", 3): _RESTARTS,
    ("create-apiservice", 3): "beta versions, and their APIServices, are gone",
    ("create-job", 3): _COLUMNS,
    ("create-service", 5): _STALE_SERVICE,
    ("create-service-nodeport", 5): _STALE_SERVICE,
    ("create-service-external", 3): _NOT_RECORDED_HERE,
    ("create-pv", 3): _COLUMNS,
    ("create-resourcequota", 3): "the age is the last column since v1.32",
    ("reject-container-values", 21): "an enumeration is refused as not supported since v1.24",
    ("reject-services", 9): "the name of a Service may start with a digit since v1.36",
    ("http-edges", 0): _SERVED,
    ("http-edges", 2): _SERVED,
    ("http-edges", 3): "another version",
    ("http-edges", 6): _SERVED,
    ("http-edges", 7): _SINGULAR,
    ("http-edges", 9): _SINGULAR,
    ("http-edges", 10): _SINGULAR,
    ("http-edges", 18): _RESTARTS,
    ("http-edges", 19): f"{_RESTARTS}; {_NOT_RECORDED_HERE}",
    ("http-edges", 21): _RESTARTS,
    ("custom-resource", 5): _TYPES,
    ("custom-resource", 8): "a list that is too long is a cause of its own since v1.27: FieldValueTooMany",
    ("custom-resource", 12): _TYPES,
    ("custom-resource", 13): _TYPES,
    ("strategic-merge", 10): _DIRECTIVES,
    ("strategic-merge", 12): "one write less before it: its generation; and a deletion beside a merge is carried out",
    ("strategic-merge", 13): "follows from the step before it",
    ("update-immutable", 8): "the recorded body has another server's controller-uid, and no labels as since v1.27",
    ("update-immutable", 14): _NOT_RECORDED_HERE,
    ("update-immutable", 15): _NOT_RECORDED_HERE,
    ("update-immutable", 19): _NOT_RECORDED_HERE,
}
