"""One scheduling rule a file, a pure function on the snapshot at its heart."""
