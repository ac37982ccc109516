"""A GitHub stand-in on real git repositories, for demo, rehearsal and tests."""
