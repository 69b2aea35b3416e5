"""Command lines: from arguments to one call, and from an error in the input to one line and an exit code."""
