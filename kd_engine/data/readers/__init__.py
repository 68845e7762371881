"""A publisher's files, or a user's own, to uint8 images and labels: a reader a file."""
