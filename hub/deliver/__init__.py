"""The way out: alerts to those who subscribed to them."""
