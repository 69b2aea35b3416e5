"""The contestants of `scripts/benchmark.py`, each in a process of its own, and what is made of their times."""
