"""A sweep on the host: its programs, its progress, its ranking, and what it leaves behind."""
