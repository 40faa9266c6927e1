"""What ``ophtimus release`` does: a chain of the three steps, what they were done with, and what they would take."""
