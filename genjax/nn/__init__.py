"""Layers, convolutions, and networks by name."""
