"""A request's way through the server, and an answer's way out: parsing, routing, negotiation, rendering, deadlines."""
