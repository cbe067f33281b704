"""Settings that hold for all tests."""

from hypothesis import settings

# The same examples on every run and machine, nothing kept between runs, and no limit that a busy machine could break.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")
