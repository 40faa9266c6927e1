"""The process that runs a model; started with ``python -m ophtimus_edge.engine.worker``.

Nothing imports this package, and it alone imports llama_cpp: a damaged file, an exhausted memory or
an assertion of llama.cpp ends this process and no other.
"""
