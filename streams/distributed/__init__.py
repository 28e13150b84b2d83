"""The distributed runtime: Kafka carries the log, Faust runs the engine a partition at a time, Redis is the index."""
