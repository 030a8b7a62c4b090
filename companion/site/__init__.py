"""The book: contents, listings and Sphinx."""
