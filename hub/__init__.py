"""What people run: the command line, and the parts put together."""

__version__ = "0.1.0"
