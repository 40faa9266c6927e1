"""How fast each level is here and what it takes: measured in alternation, by llama-bench's method."""
