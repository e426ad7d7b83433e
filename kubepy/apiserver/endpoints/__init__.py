"""The paths that are not resources: health, metrics, version, OpenAPI, the index; and componentstatuses."""
