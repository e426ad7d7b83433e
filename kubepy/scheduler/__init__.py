"""Places pods: an array snapshot, vectorised plugins, a queue, and asynchronous binding."""
