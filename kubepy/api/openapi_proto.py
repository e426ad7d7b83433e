"""The protobuf form of the OpenAPI v2 document (gnostic's openapi.v2.Document), which kubectl up to 1.26 asks for.

The messages are described in the table below, as far as the document uses them: a field is NAME:TYPE=NUMBER, `*` marks
repeated ones. Fields of a oneof are plain fields here: on the wire they are the same.

Source: OpenAPIv2.proto of github.com/google/gnostic.
"""

from functools import cache
from typing import Any, Final

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_MESSAGES: Final = """
AdditionalPropertiesItem schema:Schema=1 boolean:bool=2
Any yaml:string=2
ApiKeySecurity type:string=1 name:string=2 in:string=3 description:string=4
BodyParameter description:string=1 name:string=2 in:string=3 required:bool=4 schema:Schema=5
Definitions additional_properties:*NamedSchema=1
Document swagger:string=1 info:Info=2 paths:Paths=8 definitions:Definitions=9 security:*SecurityRequirement=11 \
security_definitions:SecurityDefinitions=12
Info title:string=1 version:string=2
ItemsItem schema:*Schema=1
NamedAny name:string=1 value:Any=2
NamedPathItem name:string=1 value:PathItem=2
NamedResponseValue name:string=1 value:ResponseValue=2
NamedSchema name:string=1 value:Schema=2
NamedSecurityDefinitionsItem name:string=1 value:SecurityDefinitionsItem=2
NamedStringArray name:string=1 value:StringArray=2
NonBodyParameter query_parameter_sub_schema:QueryParameter=3 path_parameter_sub_schema:PathParameter=4
Operation tags:*string=1 description:string=3 operation_id:string=5 produces:*string=6 consumes:*string=7 \
parameters:*ParametersItem=8 responses:Responses=9 schemes:*string=10 vendor_extension:*NamedAny=13
Parameter body_parameter:BodyParameter=1 non_body_parameter:NonBodyParameter=2
ParametersItem parameter:Parameter=1
PathItem get:Operation=2 put:Operation=3 post:Operation=4 delete:Operation=5 patch:Operation=8 \
parameters:*ParametersItem=9
PathParameter required:bool=1 in:string=2 description:string=3 name:string=4 type:string=5 unique_items:bool=19
Paths path:*NamedPathItem=2
Properties additional_properties:*NamedSchema=1
QueryParameter required:bool=1 in:string=2 description:string=3 name:string=4 type:string=6 unique_items:bool=20
Response description:string=1 schema:SchemaItem=2
ResponseValue response:Response=1
Responses response_code:*NamedResponseValue=1
Schema _ref:string=1 format:string=2 description:string=4 default:Any=5 required:*string=19 enum:*Any=20 \
additional_properties:AdditionalPropertiesItem=21 type:TypeItem=22 items:ItemsItem=23 properties:Properties=25 \
vendor_extension:*NamedAny=31
SchemaItem schema:Schema=1
SecurityDefinitions additional_properties:*NamedSecurityDefinitionsItem=1
SecurityDefinitionsItem api_key_security:ApiKeySecurity=2
SecurityRequirement additional_properties:*NamedStringArray=1
StringArray value:*string=1
TypeItem value:*string=1
"""
_METHODS: Final = ("get", "put", "post", "delete", "patch")


@cache
def _document_class() -> Any:
    """The message class of the whole document, from the table."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="openapi_v2.proto", package="openapi.v2", syntax="proto3")
    for line in _MESSAGES.strip().splitlines():
        name, *fields = line.split()
        message = file.message_type.add(name=name)
        for field in fields:
            head, _, number = field.partition("=")
            label, _, kind = head.partition(":")
            repeated, kind = kind.startswith("*"), kind.lstrip("*")
            made = message.field.add(name=label, number=int(number))
            made.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in ("string", "bool"):
                made.type = kinds.TYPE_STRING if kind == "string" else kinds.TYPE_BOOL
            else:
                made.type, made.type_name = kinds.TYPE_MESSAGE, f".openapi.v2.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("openapi.v2.Document"))


def encode(document: dict[str, Any]) -> bytes:
    """The bytes of the protobuf form of a v2 document."""
    message = _document_class()(swagger=document["swagger"])
    message.info.title, message.info.version = document["info"]["title"], document["info"]["version"]
    for path, item in document["paths"].items():
        _write_path(message.paths.path.add(name=path).value, item)
    for name, schema in document["definitions"].items():
        _write_schema(message.definitions.additional_properties.add(name=name).value, schema)
    for name, scheme in document["securityDefinitions"].items():
        item = message.security_definitions.additional_properties.add(name=name).value.api_key_security
        for field, value in scheme.items():
            setattr(item, field, value)
    for requirement in document["security"]:
        entry = message.security.add()
        for name in requirement:
            entry.additional_properties.add(name=name).value.SetInParent()
    return message.SerializeToString()  # type: ignore[no-any-return]


def _write_extensions(message: Any, source: dict[str, Any]) -> None:
    for key, value in source.items():
        if key.startswith("x-"):
            message.vendor_extension.add(name=key).value.yaml = _yaml(value)


def _yaml(value: Any) -> str:
    """JSON is YAML, and reads back the same."""
    return orjson.dumps(value).decode() + "\n"


def _write_path(message: Any, item: dict[str, Any]) -> None:
    for method in _METHODS:
        if method in item:
            _write_operation(getattr(message, method), item[method])
    for parameter in item["parameters"]:
        _write_parameter(message.parameters.add().parameter, parameter)


def _write_operation(message: Any, operation: dict[str, Any]) -> None:
    message.description, message.operation_id = operation["description"], operation["operationId"]
    for field in ("tags", "produces", "consumes", "schemes"):
        getattr(message, field).extend(operation[field])
    for parameter in operation["parameters"]:
        _write_parameter(message.parameters.add().parameter, parameter)
    for code, answer in operation["responses"].items():
        response = message.responses.response_code.add(name=code).value.response
        response.description = answer["description"]
        if "schema" in answer:
            _write_schema(response.schema.schema, answer["schema"])
    _write_extensions(message, operation)


def _write_parameter(message: Any, parameter: dict[str, Any]) -> None:
    if parameter["in"] == "body":
        target = message.body_parameter
        _write_schema(target.schema, parameter["schema"])
    else:
        other = message.non_body_parameter
        in_path = parameter["in"] == "path"
        target = other.path_parameter_sub_schema if in_path else other.query_parameter_sub_schema
        target.type, target.unique_items = parameter["type"], True
    target.name, target.description = parameter["name"], parameter.get("description", "")
    setattr(target, "in", parameter["in"])
    target.required = parameter.get("required", False)


def _write_schema(message: Any, schema: dict[str, Any]) -> None:
    message.SetInParent()
    for key, field in (("$ref", "_ref"), ("format", "format"), ("description", "description")):
        if key in schema:
            setattr(message, field, schema[key])
    if "type" in schema:
        message.type.value.append(schema["type"])
    message.required.extend(schema.get("required", ()))
    for value in schema.get("enum", ()):
        message.enum.add(yaml=_yaml(value))
    if "default" in schema:
        message.default.yaml = _yaml(schema["default"])
    if "items" in schema:
        _write_schema(message.items.schema.add(), schema["items"])
    _write_additional(message, schema.get("additionalProperties"))
    for name, inner in schema.get("properties", {}).items():
        _write_schema(message.properties.additional_properties.add(name=name).value, inner)
    _write_extensions(message, schema)


def _write_additional(message: Any, additional: Any) -> None:
    if isinstance(additional, bool):
        message.additional_properties.boolean = additional
    elif additional is not None:
        _write_schema(message.additional_properties.schema, additional)
