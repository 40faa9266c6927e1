"""A blind test: what people find of two levels' answers where they do not know which level wrote which.

``answers`` has the answers made beforehand, one level at a time. ``drawing`` makes pairs of them with the sides
shuffled, ``voting`` a vote of what a person chose. ``folder`` keeps all of it, so that a test goes on where it
was left. ``reading`` takes votes files in, and ``result`` says what they amount to.
"""
