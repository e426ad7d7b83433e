"""One file a process: flags, typed config, run."""
