"""One engine for every resource; what is special about a kind is a strategy."""
