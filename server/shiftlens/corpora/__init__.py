"""Many transcripts at once: rows are read, scored and written as streams, and a run that was cut short goes on."""
