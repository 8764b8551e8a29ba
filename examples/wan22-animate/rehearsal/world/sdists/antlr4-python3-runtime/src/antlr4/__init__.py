"""Stands in for ANTLR's runtime."""
