"""Stands in for loguru."""

import logging

__version__ = "@VERSION@"
logging.basicConfig(level=logging.INFO, format="%(asctime)s | %(levelname)s | %(message)s")
logger = logging.getLogger("loguru")
