"""Teacher-forced passes through models: planned, batched, in windows, resumed from earlier ones."""
