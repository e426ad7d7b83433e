"""The messages of etcd's API that the store uses, made from the table below at import.

Only fields that we set or read are listed: protobuf skips what it does not know. Members of a `oneof` are listed
as plain fields, which are the same on the wire. Source: etcd's rpc.proto and kv.proto, v3.4.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TABLE: Final = """
KeyValue: bytes key 1, int64 mod_revision 3, bytes value 5
Event: int32 type 1, KeyValue kv 2, KeyValue prev_kv 3
ResponseHeader: int64 revision 3
RangeRequest: bytes key 1, bytes range_end 2, int64 limit 3, int64 revision 4, bool keys_only 8
RangeResponse: ResponseHeader header 1, *KeyValue kvs 2, bool more 3
PutRequest: bytes key 1, bytes value 2, int64 lease 3
DeleteRangeRequest: bytes key 1
RequestOp: RangeRequest request_range 1, PutRequest request_put 2, DeleteRangeRequest request_delete_range 3
ResponseOp: RangeResponse response_range 1
Compare: int32 result 1, int32 target 2, bytes key 3, int64 mod_revision 6
TxnRequest: *Compare compare 1, *RequestOp success 2, *RequestOp failure 3
TxnResponse: ResponseHeader header 1, bool succeeded 2, *ResponseOp responses 3
CompactionRequest: int64 revision 1
CompactionResponse: ResponseHeader header 1
LeaseGrantRequest: int64 TTL 1
LeaseGrantResponse: ResponseHeader header 1, int64 ID 2
WatchCreateRequest: bytes key 1, bytes range_end 2, int64 start_revision 3, bool progress_notify 4, bool prev_kv 6, bool fragment 8
WatchRequest: WatchCreateRequest create_request 1
WatchResponse: ResponseHeader header 1, bool created 3, bool canceled 4, int64 compact_revision 5, string cancel_reason 6, bool fragment 7, *Event events 11
"""  # noqa: E501  # a line a message
_PACKAGE: Final = "kubepy.etcd"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "int64": _Field.TYPE_INT64,
    "int32": _Field.TYPE_INT32,
    "bool": _Field.TYPE_BOOL,
}

EQUAL: Final = 0
MOD: Final = 2
DELETE: Final = 1


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="kubepy/etcd.proto", package=_PACKAGE, syntax="proto3")
    for line in _TABLE.strip().splitlines():
        name, _, fields = line.partition(": ")
        message = file.message_type.add(name=name)
        for spec in fields.split(", "):
            kind, field_name, number = spec.split()
            label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=int(number), label=label)
            scalar = _SCALARS.get(kind)
            if scalar is None:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind.lstrip('*')}"
            else:
                field.type = scalar
    return file


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    names = [line.partition(":")[0] for line in _TABLE.strip().splitlines()]
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in names}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


_made: Final = _classes()
RangeRequest: Any = _made["RangeRequest"]
RangeResponse: Any = _made["RangeResponse"]
PutRequest: Any = _made["PutRequest"]
DeleteRangeRequest: Any = _made["DeleteRangeRequest"]
RequestOp: Any = _made["RequestOp"]
Compare: Any = _made["Compare"]
TxnRequest: Any = _made["TxnRequest"]
TxnResponse: Any = _made["TxnResponse"]
CompactionRequest: Any = _made["CompactionRequest"]
CompactionResponse: Any = _made["CompactionResponse"]
LeaseGrantRequest: Any = _made["LeaseGrantRequest"]
LeaseGrantResponse: Any = _made["LeaseGrantResponse"]
WatchCreateRequest: Any = _made["WatchCreateRequest"]
WatchRequest: Any = _made["WatchRequest"]
WatchResponse: Any = _made["WatchResponse"]
