"""Losses and their parts, unreduced: one value per example, never a mean over the batch."""
