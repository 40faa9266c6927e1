"""From a Llama checkpoint, and the adapter trained on it, to a folder of GGUF files."""
