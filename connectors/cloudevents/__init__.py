"""CloudEvents 1.0 as newline-delimited JSON."""
