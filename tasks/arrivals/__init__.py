"""Items that nobody has taken yet: scores for them from content, and lists that hold some of them."""
