"""What patients say: answers to surveys, complaints, suggestions, the wish to be called."""
