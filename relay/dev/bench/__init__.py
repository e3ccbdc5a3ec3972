"""The harness that measures a relay under load, from outside and at a real pace: ``relay bench``."""
