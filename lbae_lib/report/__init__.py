"""Records, figures, executed notebooks and the book."""
