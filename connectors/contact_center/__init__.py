"""Contact centers and any webhook: bodies to events by mapping files, and the checks that say who sent them."""
