"""The order of what strict decoding minds, which upstream's own tests ask for."""

from kubepy.api.strict_decoding import by_keys, in_order, warnings_of


def test_json_is_told_of_as_it_is_read() -> None:
    text = b'{"metadata":{"name":"a","name":"b"},"spec":{"x":1,"y":1,"y":2,"paused":1,"paused":2,"c":[{"z":{"z":1}}]}}'
    repeated = ['duplicate field "metadata.name"', 'duplicate field "spec.y"', 'duplicate field "spec.paused"']
    unknown = ['unknown field "spec.y"', 'unknown field "spec.x"', 'unknown field "spec.c[0].z"']
    assert in_order(text, repeated, unknown) == [
        'duplicate field "metadata.name"',
        'unknown field "spec.x"',
        'unknown field "spec.y"',
        'duplicate field "spec.paused"',
        'unknown field "spec.c[0].z"',
    ]
    assert in_order(b"not read for one", [], unknown[:1]) == unknown[:1]


def test_sorted_keys_count_elements_as_numbers() -> None:
    names = ["spec.unknown", "spec.template.a[10].x", "spec.template.a[9].x", "metadata.z"]
    assert by_keys(f'unknown field "{name}"' for name in names) == [
        f'unknown field "{name}"' for name in (names[3], names[2], names[1], names[0])
    ]


def test_keys_that_look_like_indexes_without_end_are_keys() -> None:
    names = [f'unknown field "a[{digits * 5000}]"' for digits in "21"]
    assert by_keys(names) == names[::-1]


def test_what_yaml_names_twice_is_warned_of_line_by_line() -> None:
    fault = 'yaml: unmarshal errors:\n  line 5: key "name" already set in map\n  line 7: key "a" already set in map'
    told = ['line 5: key "name" already set in map', 'line 7: key "a" already set in map']
    assert warnings_of(fault) == told
    assert warnings_of(f"error converting YAML to JSON: {fault}") == told
    assert warnings_of('unknown field "a"') == ['unknown field "a"']
