"""What an API server is told at its start: flags and the files that they name, read once and checked as a whole."""
