"""Workloads of which ``python -m tensorgrad bench`` makes a table, and which benchmarks/ runs too."""
