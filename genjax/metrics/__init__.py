"""Evaluation: pure functions over samples and per-example values. A batch's padding never counts."""
