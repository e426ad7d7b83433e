"""What becomes of a node that falls silent, and of its pods."""
