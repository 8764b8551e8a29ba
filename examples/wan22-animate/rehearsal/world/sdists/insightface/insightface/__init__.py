"""Stands in for InsightFace: everything but the extension for meshes."""

try:
    import onnxruntime
except ImportError:
    raise ImportError("Unable to import dependency onnxruntime. ")

__version__ = "@VERSION@"

from . import app
