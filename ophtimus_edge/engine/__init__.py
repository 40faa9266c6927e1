"""The model in a process of its own: a worker that alone loads llama.cpp, and the client that talks to it."""
