"""What a transfer costs the service, and how fast it is told: ``python -m benchmarks.transfers``."""
