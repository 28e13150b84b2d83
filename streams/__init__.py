"""What events mean: a pure core, and the runtimes that drive it."""
