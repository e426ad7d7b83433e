"""What a client is told about objects that are accepted all the same: `registry.warner_for` finds it by kind. Pure."""
