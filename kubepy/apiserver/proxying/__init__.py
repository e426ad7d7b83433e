"""Requests that another server answers: a pod's kubelet, a node, a Service's endpoint."""
