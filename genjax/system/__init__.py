"""The machine: files, processes on many hosts, signals, and how XLA is asked to compile."""
