"""Pages about runs, made from their records alone: no network, no torch, no data. Each is one file of HTML."""
