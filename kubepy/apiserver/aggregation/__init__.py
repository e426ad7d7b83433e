"""APIServices: which server answers for a group and version, whether it is there, and what it tells of itself."""
