"""Stands in for Runpod's SDK."""

from . import serverless

__version__ = "@VERSION@"
