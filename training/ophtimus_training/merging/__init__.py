"""``merge``: an adapter into the 16-bit base that it was trained on, proven before it appears."""
