"""What is due for an object that a finalizer protects. Pure.

Source: pkg/controller/util/protectionutil.
"""

from kubepy.api.meta import Object, add_finalizer, finalizers_of, is_deleting, remove_finalizer


def is_deletion_candidate(obj: Object, finalizer: str) -> bool:
    """Whether the object is to go, and waits for that finalizer."""
    return is_deleting(obj) and finalizer in finalizers_of(obj)


def needs_finalizer(obj: Object, finalizer: str) -> bool:
    """Whether the object was made where admission did not give it the finalizer."""
    return not is_deleting(obj) and finalizer not in finalizers_of(obj)


def is_work(obj: Object, finalizer: str) -> bool:
    """Whether the object's finalizer may have to change."""
    return is_deleting(obj) == (finalizer in finalizers_of(obj))


def plan_finalizer(obj: Object, finalizer: str, *, used: bool) -> Object | None:
    """The object as it is to be written, or None where it is as it should be."""
    planned = {**obj, "metadata": dict(obj["metadata"])}
    if is_deletion_candidate(obj, finalizer) and not used:
        remove_finalizer(planned, finalizer)
        return planned
    if needs_finalizer(obj, finalizer):
        add_finalizer(planned, finalizer)
        return planned
    return None
