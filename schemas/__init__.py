"""What things are: events, thresholds, alerts, and the declarations they are read from. No I/O."""
