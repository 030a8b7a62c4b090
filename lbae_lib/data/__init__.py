"""Images: embedded, from torchvision, or from a folder of your own."""
