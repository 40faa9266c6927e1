"""Quantization levels side by side: what each costs, what is lost with it, and which one a clinic should get.

``statistics`` stands on plain numbers and knows no model. ``questions`` reads what is asked, ``divergence``,
``choices``, ``essay`` and ``speed`` measure a level, ``critical`` finds what a person must look at, ``votes``
asks people. ``running`` goes through them, level by level, and keeps what is measured; ``verdict`` and
``report`` say what was found.
"""
