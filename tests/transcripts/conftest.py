"""Property tests of the room have no time limit for an example: how long one takes is the machine's affair."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
