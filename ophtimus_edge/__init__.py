"""The runtime of Ophtimus Edge: everything that a clinic's machine needs to ask an eye question offline."""

__version__ = "0.1.0"
