"""Imported by generate.py, which finds it next to itself."""
