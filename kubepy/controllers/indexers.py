"""What the loops look objects up by: index functions for informers, each under one name everywhere."""

from kubepy.api.meta import Object, controller_of


def index_by_namespace(obj: Object) -> list[str]:
    """The object's namespace."""
    return [obj["metadata"]["namespace"]]


def index_by_controller(obj: Object) -> list[str]:
    """The uid of the object's controller, if it has one."""
    controller = controller_of(obj)
    return [controller["uid"]] if controller else []


def index_orphans(obj: Object) -> list[str]:
    """The namespace of an object without a controller."""
    return [] if controller_of(obj) else [obj["metadata"]["namespace"]]


def index_by_node(pod: Object) -> list[str]:
    """The node that the pod is on, if it is on one."""
    name = pod["spec"].get("nodeName")
    return [name] if name else []
