"""What may enter: one plug-in a file, in upstream's order."""
