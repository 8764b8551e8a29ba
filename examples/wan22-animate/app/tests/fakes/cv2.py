"""Stands in for OpenCV, of which nothing is asked."""
