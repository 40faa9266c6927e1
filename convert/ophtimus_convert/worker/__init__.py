"""The converter's child process: all that touches llama.cpp and ggml. Nothing imports this package.

It is started with ``python -m ophtimus_convert.worker``, takes one job on standard input and writes
events on standard output; llama.cpp's log goes to standard error.
"""
