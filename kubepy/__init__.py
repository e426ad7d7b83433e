"""Kubernetes in Python. Dependencies point one way: lib, api <- client, storage <- the daemons <- cli."""
