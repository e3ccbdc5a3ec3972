"""``relay demo``: whole transfers through the real service, with everything around it simulated, and what they show."""
