"""What runs containers: the Runtime contract, Docker, and a fake for hollow nodes."""
