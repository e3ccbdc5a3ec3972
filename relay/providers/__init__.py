"""One sans-I/O adapter per carrier."""
