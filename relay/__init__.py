"""Carries a phone call's audio between a carrier's media WebSocket and a Daily room."""
