"""The evaluator: every metric on a run's checkpoint, each number with its protocol and, where it has one, its error."""
