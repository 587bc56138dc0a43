"""Benchmarks: tensorgrad beside the same work by hand in NumPy, and beside torch where installed."""
