"""Benchmarks of the hot paths, run by hand; see README.md."""
