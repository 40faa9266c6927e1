"""From a recipe to a checkpoint or an adapter; wraps trl, peft and transformers."""
