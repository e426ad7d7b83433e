"""Cluster DNS: names of Services and pods, answered from an informer's cache."""
