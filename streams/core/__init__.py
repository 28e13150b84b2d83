"""The pure core: it reads no clock, opens no file, draws no random number."""
