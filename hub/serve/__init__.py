"""The service: doors in, one runtime behind them, alerts out."""
