"""What one would pick instead, and the floor, at equal load in one run: ``python -m benchmarks.peers``."""
