"""Many GPUs and machines: what torchrun started, what a recipe's strategy sets, and who writes and speaks."""
