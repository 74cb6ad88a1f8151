"""`qanat prove` for pipelines of streams: a local server of events that misbehaves, and what the tables have to hold then."""
