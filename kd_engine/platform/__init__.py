"""Device, memory, files that are whole or absent, and stand-ins for quirks of torch and torchvision."""
