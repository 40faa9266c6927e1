"""``python -m ophtimus_training``: ``ophtimus-train`` by a name that torchrun and accelerate can start."""

from ophtimus_training.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
