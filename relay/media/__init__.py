"""Audio between a leg and a room: pure, with bytes and time in and bytes out."""
