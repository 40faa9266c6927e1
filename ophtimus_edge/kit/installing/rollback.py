"""Back to the version before: it is tried, the histories are put back where it needs that, and it runs again."""

import contextlib
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.errors import KitInstallError
from ophtimus_edge.kit.installing import histories, launchers, proving
from ophtimus_edge.kit.installing import versions as layout
from ophtimus_edge.kit.installing.following import settled, switched
from ophtimus_edge.kit.installing.install import Company, close_programs, held
from ophtimus_edge.kit.state import read_state, write_state


class RolledBack(NamedTuple):
    """What a rollback came to.

    Attributes:
        left: the version that ran until now.
        histories_put_back: whether the histories are those of before that version, which the older program reads.
        set_aside: where those of the newer version lie now; None where they had not changed.
    """

    version: str
    left: str
    histories_put_back: bool
    set_aside: Path | None


def roll_back(root: Path, company: Company) -> RolledBack:
    """Have the version before run again; the one that is left stays, and its kit may be installed again.

    Raises:
        KitInstallError: there is none, it does not work any more, or it cannot be switched to; what ran runs.
    """
    nothing = KitInstallError(f"nothing is installed in {root}.", "Install a kit: sh install.sh")
    if read_state(root) is None:
        raise nothing  # before a folder is made to be held
    with held(root):
        state = settled(root, read_state(root))
        if state is None or not state.current:
            raise nothing
        if not state.previous:
            raise KitInstallError(
                f"there is no version before {state.current} here to go back to.",
                "A version before the last two is not kept.",
            )
        old_folder = layout.folder_of(root, state.previous)
        old, left = (
            layout.manifest_of(folder) for folder in (old_folder, layout.folder_of(root, state.current))
        )
        company.show("try", 0, 1, "")
        proving.prove(old_folder, "answers")
        company.show("try", 1, 1, "")
        close_programs(root, company)
        # First the histories: if this ends here, the newer program reads the older ones, too.
        put_back, aside = histories.put_back(root, left, old)
        launchers.write(root)
        layout.switch(root, old.version)
        with contextlib.suppress(OSError):  # it runs; the next command notes it
            write_state(root, switched(state, old, left.version))
        return RolledBack(old.version, left.version, put_back, aside)
