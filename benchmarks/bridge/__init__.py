"""What a carrier's frames are in bytes; ``relay bench`` measures the bridge."""
