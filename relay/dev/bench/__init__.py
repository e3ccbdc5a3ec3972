"""The harness that measures what calls cost and what they are delayed by: ``relay bench``."""
