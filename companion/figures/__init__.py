"""Records in, matplotlib figures out."""
