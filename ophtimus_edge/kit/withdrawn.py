"""What an installation knows to be withdrawn, kit after kit.

A model that was withdrawn once stays so: where a later kit forgets it, and after a rollback to a kit that did not
know of it yet. :mod:`ophtimus_edge.models.withdrawals` looks a file up in what is kept here.
"""

from collections.abc import Iterable

from ophtimus_edge.models.withdrawals import Withdrawn


def carried_on(known: Iterable[Withdrawn], added: Iterable[Withdrawn]) -> list[Withdrawn]:
    """Earlier withdrawals and those of another kit, sorted by hash, each file once; the later words hold.

    Args:
        known: of ``state.json``, or of the manifest of the kit before.
        added: of the manifest that is installed, or built, now.
    """
    entries = {entry.sha256: entry for entry in known}
    for entry in added:
        before = entries.get(entry.sha256)
        if before is not None and before.size_bytes and not entry.size_bytes:
            entry = Withdrawn(sha256=entry.sha256, reason=entry.reason, size_bytes=before.size_bytes)
        entries[entry.sha256] = entry
    return [entries[sha256] for sha256 in sorted(entries)]
