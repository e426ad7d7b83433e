"""Who did what, and how it ended: upstream's audit events, chosen by a policy file and written as JSON lines."""
