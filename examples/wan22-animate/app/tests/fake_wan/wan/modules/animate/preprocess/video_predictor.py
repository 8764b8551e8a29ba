"""Is there to be changed."""
