"""Model files: what lies in a model folder, where models are found, and whether a file is sound."""
