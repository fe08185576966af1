"""The pretrained interface."""
