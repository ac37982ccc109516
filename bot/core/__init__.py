"""Values and decisions: no network, no clock, no environment."""
