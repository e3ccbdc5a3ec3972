"""What a transfer is and becomes."""
