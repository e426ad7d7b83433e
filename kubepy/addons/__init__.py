"""What runs in the cluster for its users: DNS first of all."""
