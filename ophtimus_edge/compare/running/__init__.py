"""A comparison as a whole: what it will take here, and going through its parts and levels."""
