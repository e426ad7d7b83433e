"""What the API is: resources, schemas, defaults, validation, patches, printing, errors. Pure functions on dicts."""
