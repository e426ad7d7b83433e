"""May they: one authorizer a file, and upstream's bootstrap roles."""
