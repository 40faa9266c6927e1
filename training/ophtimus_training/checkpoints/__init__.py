"""Checkpoints to go on from: written aside, hashed, renamed; taken up again bit for bit once they are verified."""
