"""What the codec costs, beside what a user would otherwise take: ``scripts/bench``, or ``python -m benchmarks``."""
