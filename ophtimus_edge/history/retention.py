"""Talks whose time is over: what a limit in days would delete, to be shown before it does."""

import datetime

from ophtimus_edge.history.keeping import Head, History, latest


def due(history: History, days: int, now: datetime.datetime) -> list[Head]:
    """The talks that were last changed more than so many days ago, the oldest first.

    Those that are held or pinned are never among them. A clock that was set back spares none and shortens
    nothing: where something was kept later than ``now``, that time counts as now.

    Args:
        days: 0 to keep everything for ever.
    """
    if days <= 0:
        return []
    heads = history.heads()
    present = latest(now, *(head.changed_at for head in heads)).timestamp()
    oldest = present - datetime.timedelta(days=days).total_seconds()
    return [
        head
        for head in reversed(heads)
        if head.changed_at.timestamp() < oldest and not head.held and not head.pinned
    ]
