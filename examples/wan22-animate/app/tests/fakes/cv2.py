"""Stands in for OpenCV, which isn't used."""
