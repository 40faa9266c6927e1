"""From raw texts and question files to training data, with a report of what was dropped and why."""
