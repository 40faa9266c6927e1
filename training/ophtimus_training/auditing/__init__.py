"""What a recipe would train on, looked at before it is: masks, ends, beginnings, lengths, duplicates, leaks."""
