"""Pod Security: the plug-in, its configuration, and the checks of the two standards at each of their versions."""
