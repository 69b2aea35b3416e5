"""Training as pure functions: optimisers, the step, the scanned chunk, trials side by side, sharding."""
