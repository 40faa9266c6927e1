"""A kit becomes the program that runs on a clinic's machine: installed, updated, put back, removed."""
