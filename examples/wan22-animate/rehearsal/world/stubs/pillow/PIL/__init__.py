"""Stands in for Pillow."""

__version__ = "@VERSION@"
