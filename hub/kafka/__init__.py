"""The hub's side of Kafka: how to reach it, and its topics made and checked."""
