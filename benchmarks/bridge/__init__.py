"""What the bridge costs and what it delays, over real sockets: ``python -m benchmarks.bridge``."""
