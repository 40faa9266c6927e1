"""What the commands of all packages share at a terminal: how they speak, ask, show how far they are, and end.

A command of another package, such as ``ophtimus release``, imports from here and never from ``ophtimus_edge.cli``,
where only the verbs of ``ophtimus`` are.
"""
