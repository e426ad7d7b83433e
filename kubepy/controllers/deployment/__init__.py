"""Rolls a Deployment from one pod template to the next by scaling its ReplicaSets."""
