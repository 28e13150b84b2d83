"""The embedded runtime: one process, one SQLite file, the pure core in memory."""
