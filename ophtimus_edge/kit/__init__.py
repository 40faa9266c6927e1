"""Offline kits: built at a developer's desk, carried on a stick, verified and installed at a clinic."""
