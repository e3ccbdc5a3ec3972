"""Stand-ins for what a test or a demonstration cannot have: a carrier, a phone, a room. Named "simulated" in every output."""
