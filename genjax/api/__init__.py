"""What a notebook needs: a trained run and a finished sweep as objects on plain arrays, and a fit of an array."""
