"""From a recipe to a checkpoint or an adapter; wraps peft and transformers."""
