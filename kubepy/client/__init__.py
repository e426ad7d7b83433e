"""How daemons talk to the API server: verbs on plain dicts, watch, informers, leader election, events."""
