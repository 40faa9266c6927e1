"""Talks whose time is over: what a limit in days would delete, to be shown before it does."""

import datetime

from ophtimus_edge.history.keeping import Head, History

_DAY_S = 86_400


def due(history: History, days: int, now: datetime.datetime) -> list[Head]:
    """The talks that were last changed more than so many days ago, the oldest first.

    Those that are held or pinned are never among them. Only this computer's clock says what the time is: a
    talk that was kept while the clock was ahead is not old, and makes no other one older. While the clock is
    set back nothing is due too early; what is due waits until it is right again.

    Args:
        days: 0 to keep everything for ever.
        now: what the clock says.
    """
    if days <= 0:
        return []
    oldest = now.timestamp() - days * _DAY_S
    return [
        head
        for head in reversed(history.heads())
        if head.changed_at.timestamp() < oldest and not head.held and not head.pinned
    ]
