"""The index of words in the database: what goes in, and the messages that a search finds."""

from ophtimus_edge.history import schema, search
from ophtimus_edge.history.database import Connection
from ophtimus_edge.history.keeping import Hit

RANKED = 1000  # newest matches that a search ranks


def index(connection: Connection, number: int, text: str) -> None:
    """Have a message found by its words, and by none that it had before."""
    connection.execute("DELETE FROM search WHERE rowid = ?", (number,))
    connection.execute("INSERT INTO search(rowid, words) VALUES(?, ?)", (number, search.bigrams(text)))


def find(connection: Connection, words: str, most: int) -> list[Hit]:
    """The messages that hold all words, the best first by bm25, of equals the newest.

    Where more than RANKED messages hold them, only the newest RANKED are ranked: to weigh each of a hundred
    thousand takes longer than a person wants to wait at every key.
    """
    asked = search.phrases(words)
    if not asked or most < 1:
        return []
    expression = search.expression(asked)
    newest = connection.execute(
        "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ?", (expression, RANKED)
    ).fetchall()
    if not newest:
        return []
    ranked = connection.execute(
        "SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? ORDER BY bm25(search), rowid DESC LIMIT ?",
        (expression, newest[-1][0], most),
    )
    best = [number for (number,) in ranked]
    holes = ", ".join("?" * len(best))
    rows = connection.execute(
        "SELECT number, talk, questions.id, 'question', asked_at, text, title"  # noqa: S608
        f" FROM questions JOIN talks ON talks.id = talk WHERE number IN ({holes}) UNION ALL"
        " SELECT number, talk, replies.id, 'answer', replies.begun_at, text, title"
        f" FROM replies JOIN talks ON talks.id = talk WHERE number IN ({holes})",
        best + best,
    ).fetchall()
    found = {
        number: Hit(talk, id_, kind, schema.moment(at), title, search.snippet(text, words))
        for number, talk, id_, kind, at, text, title in rows
    }
    return [found[number] for number in best if number in found]
