"""Where objects are kept as JSON bytes: the Store contract, its backends, and the watch cache."""
