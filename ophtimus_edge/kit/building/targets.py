"""The machines that a kit is for: which wheels run there, and what their conditions mean there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging import tags
from packaging.requirements import Requirement
from packaging.tags import Tag

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.manifest import Platform

# Debian 12, and Ubuntu 24.04 after it, have it: wheels that need a newer one are not fetched.
NEWEST_GLIBC = 36
_OLDEST_GLIBC, _ANY_GLIBC = 5, 99
_NAMED_GLIBCS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # PEP 599, 571, 513

_ENVIRONMENTS: dict[Platform, dict[str, str]] = {
    "linux-x86_64": {
        "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64",
    },
    "win_amd64": {
        "os_name": "nt", "sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A kind of machine with a Python, such as ``linux-x86_64`` and ``3.11``."""

    platform: Platform
    python: str

    @property
    def version(self) -> tuple[int, int]:
        """The Python's version as numbers."""
        major, minor = self.python.split(".")
        return int(major), int(minor)

    @property
    def platform_tags(self) -> list[str]:
        """The platforms of wheels that may be fetched for it, the best first."""
        return ["win_amd64"] if self.platform == "win_amd64" else list(_linux_platforms(NEWEST_GLIBC))

    @cached_property
    def _fetched(self) -> dict[Tag, int]:
        return self._ranks(self.platform_tags)

    @cached_property
    def _given(self) -> dict[Tag, int]:
        windows = self.platform == "win_amd64"
        return self._fetched if windows else self._ranks(list(_linux_platforms(_ANY_GLIBC)))

    def _ranks(self, platforms: list[str]) -> dict[Tag, int]:
        interpreter = f"cp{self.version[0]}{self.version[1]}"
        known = [
            *tags.cpython_tags(self.version, platforms=platforms),
            *tags.compatible_tags(self.version, interpreter, platforms),
        ]
        return {tag: rank for rank, tag in reversed(list(enumerate(known)))}

    def rank(self, wheel_tags: frozenset[Tag], given: bool = False) -> int | None:
        """How well a wheel suits, 0 the best; None where it does not run there.

        Args:
            given: it was named or built, and may need a newer glibc than a fetched one: the manifest says which.
        """
        ranks = self._given if given else self._fetched
        return min((ranks[tag] for tag in wheel_tags if tag in ranks), default=None)

    def applies(self, requirement: Requirement, extras: frozenset[str]) -> bool:
        """Whether a requirement holds there, for a package that is wanted with some of its extras."""
        if requirement.marker is None:
            return True
        environment = {
            **_ENVIRONMENTS[self.platform],
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
        }
        return any(
            requirement.marker.evaluate({**environment, "extra": extra}) for extra in ("", *sorted(extras))
        )

    def pip_options(self) -> list[str]:
        """What has pip fetch wheels for this machine rather than for the one that it runs on."""
        platforms = [word for platform in self.platform_tags for word in ("--platform", platform)]
        return [
            "--only-binary", ":all:", "--implementation", "cp", "--python-version", self.python, *platforms,
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.platform}, Python {self.python}"


def checked_python(version: str) -> str:
    """A Python's version as a kit has it.

    Raises:
        KitBuildError: it is not one that the program runs with.
    """
    major, _, minor = version.partition(".")
    if not (major == "3" and minor.isascii() and minor.isdecimal() and 11 <= int(minor) < 100):
        raise KitBuildError(
            f"{version[:20]!r} is no version of Python that the program runs with.",
            "Name one from 3.11 on, such as --python 3.11 for Debian 12.",
        )
    return f"3.{int(minor)}"


def glibc_of(wheel_tags: frozenset[Tag]) -> int | None:
    """The minor version of the oldest glibc 2 that a wheel for Linux runs with; None where its name tells of none."""
    named = {name: glibc for glibc, name in _NAMED_GLIBCS.items()}
    found = []
    for tag in wheel_tags:
        platform = tag.platform.removesuffix("_x86_64")
        if platform.startswith("manylinux_2_"):
            found.append(int(platform.removeprefix("manylinux_2_")))
        elif platform in named:
            found.append(named[platform])
    return min(found, default=None)


def _linux_platforms(newest: int) -> Iterator[str]:
    for minor in range(newest, _OLDEST_GLIBC - 1, -1):
        yield f"manylinux_2_{minor}_x86_64"
        if minor in _NAMED_GLIBCS:
            yield f"{_NAMED_GLIBCS[minor]}_x86_64"
    yield "linux_x86_64"
