"""What users of kubepy test with: a cluster in a process, and hollow nodes."""
