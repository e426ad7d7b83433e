"""Priority and fairness: which requests may run now, which wait, which are turned away. Not: what they may do."""
