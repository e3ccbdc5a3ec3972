"""What a frame of 20 ms costs with each carrier, from its WebSocket message to the room's PCM and back."""
