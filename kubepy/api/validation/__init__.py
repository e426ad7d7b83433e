"""The rules that the OpenAPI does not carry, one module a group; pure, they return every fault."""
