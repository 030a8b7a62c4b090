"""What is trained on which images, and what that leaves on disk."""
