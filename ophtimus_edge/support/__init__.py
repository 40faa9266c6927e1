"""Looking after an installation: what its machine can do, and what a helper far away needs to see of it."""
