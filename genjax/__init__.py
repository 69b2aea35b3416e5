"""Autoencoders, VAEs and GANs as pure functions over a tree of parameters."""

__version__ = "0.1.0"
