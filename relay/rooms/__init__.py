"""The room side of a bridge."""
