"""How whole objects look in messages: as upstream's internal types do, as JSON."""

from kubepy.api.errors import invalid
from kubepy.api.validation import shown


def test_every_field_is_shown_by_its_name_in_go() -> None:
    context = {"privileged": True, "capabilities": {"drop": ["ALL"]}, "seLinuxOptions": {"level": "s0"}}
    assert shown.show(context, shown.SECURITY_CONTEXT) == (
        '{"Capabilities":{"Add":null,"Drop":["ALL"]},"Privileged":true,'
        '"SELinuxOptions":{"User":"","Role":"","Type":"","Level":"s0"},"WindowsOptions":null,"RunAsUser":null,'
        '"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":null,'
        '"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}'
    )


def test_an_empty_list_of_objects_is_null() -> None:
    assert shown.show_all([], shown.IP) == "null"
    assert shown.show_all([{"ip": "1.1.1.1"}], shown.IP) == '[{"IP":"1.1.1.1"}]'


def test_an_owner_is_shown_in_the_order_of_its_type() -> None:
    owner = {"uid": "1", "name": "x", "kind": "Event", "apiVersion": "v1", "controller": True}
    assert shown.show_owner(owner) == '{"apiVersion":"v1","kind":"Event","name":"x","uid":"1","controller":true}'


def test_what_is_rendered_is_not_quoted_and_maps_are_sorted() -> None:
    assert invalid("spec", shown.FIELD_PATH, "no").message == "Invalid value: {}: no"
    assert invalid("spec", {"b": "2", "a": "1"}, "no").message == 'Invalid value: {"a":"1","b":"2"}: no'
