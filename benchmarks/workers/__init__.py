"""What a process for each call costs, and how many calls a core carries so: ``python -m benchmarks.workers``."""
