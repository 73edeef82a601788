"""Models that are scored each by itself: one that is elsewhere beside one that is here, or two."""
