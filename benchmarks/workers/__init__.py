"""What a process for each call costs: ``python -m benchmarks.workers``; ``relay bench node`` has many of them."""
