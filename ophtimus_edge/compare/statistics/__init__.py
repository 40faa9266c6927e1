"""What may be claimed of numbers, and how sure that is; nothing here knows a model.

``intervals`` of counts, ``paired`` for two levels that answered the same questions, ``tolerances`` for what may
be claimed of them, ``bootstrap`` over the windows of a text, ``calibration`` of letter probabilities,
``repetitions`` of a timing.
"""
