"""The ports, fulfilled: GitHub, the durable engine, the clock."""
