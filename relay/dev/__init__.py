"""Stand-ins for a carrier, a phone and a room, for tests and demonstrations; named "simulated" in every output."""
