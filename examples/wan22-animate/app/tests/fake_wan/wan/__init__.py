"""Imported by generate.py, which finds it beside itself."""
