"""Puts constraints.txt into the wheel: kits hold the versions that the tests ran with, whoever builds them.

Named in pyproject.toml (``force-include``), it would lie in an editable installation too, in a folder of its own
beside the packages that has the name of the program.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Constraints(BuildHookInterface[Any]):
    """The hook that hatchling runs for a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to a wheel of the program, and not to one that only points to its source."""
        if version == "standard":
            build_data["force_include"]["constraints.txt"] = "ophtimus_edge/kit/building/constraints.txt"
