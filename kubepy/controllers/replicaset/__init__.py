"""Keeps as many pods as a ReplicaSet (or a ReplicationController, its forerunner) asks for."""
