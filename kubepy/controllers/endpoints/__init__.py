"""Which pods are behind a Service, as EndpointSlices and as the older Endpoints."""
