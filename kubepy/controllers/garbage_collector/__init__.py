"""Deletes what has lost its owners, and takes ownership apart in the order that a deletion asked for."""
