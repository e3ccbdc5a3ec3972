"""The carriers that are simulated: a dialect each, written from their own pages, and not from relay's adapters."""
