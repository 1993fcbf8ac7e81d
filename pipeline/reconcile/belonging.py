"""In which of a store's accounts each order should be, by what the topics and Connectif hold of it.

A store with routes sends an order to the account of its language, shop or currency, some to several; and the
order moves when that changes. Records and receipts name the account. Where none are kept, the newest event
does, as today's settings read it. Of an order that no account got, none is named.
"""

from __future__ import annotations

from pipeline.reconcile.database import Database

#: The account of an order that none got, or of which nothing tells.
NOWHERE = -1

#: Those that were told to an account last, and not taken back there; or that Connectif itself says it has.
_TOLD = """INSERT OR IGNORE INTO belongs
    SELECT r.pid, r.account FROM records r JOIN orders o ON o.pid = r.pid WHERE NOT r.takes_back
    UNION SELECT c.pid, c.account FROM receipts c JOIN orders o ON o.pid = c.pid
        LEFT JOIN records r ON r.pid = c.pid AND r.account = c.account
        WHERE c.held <> 'gone' AND NOT COALESCE(r.takes_back, 0)
    UNION SELECT x.pid, x.account FROM exported x JOIN orders o ON o.pid = x.pid
    UNION SELECT v.pid, v.account FROM verified v JOIN orders o ON o.pid = v.pid
        WHERE v.found AND v.account >= 0"""
#: Those of which only an event tells.
_MEANT = """INSERT OR IGNORE INTO belongs SELECT o.pid, m.account FROM meant m JOIN orders o
    ON o.entity = m.entity WHERE NOT EXISTS (SELECT 1 FROM belongs b WHERE b.pid = o.pid)"""
#: Those that were taken back everywhere: they are in none, and counted once.
_TAKEN_BACK = """INSERT OR IGNORE INTO belongs SELECT pid, MIN(account) FROM (
        SELECT pid, account FROM records UNION SELECT pid, account FROM receipts) t
    WHERE EXISTS (SELECT 1 FROM orders o WHERE o.pid = t.pid)
        AND NOT EXISTS (SELECT 1 FROM belongs b WHERE b.pid = t.pid) GROUP BY pid"""
#: Of an order that nothing places, and that each account was asked for: none has it, or one gave no answer.
_NOWHERE = """INSERT OR REPLACE INTO verified
    SELECT v.pid, :nowhere, CASE WHEN COUNT(v.found) = :accounts THEN MAX(v.found) END, NULL
    FROM verified v JOIN findings f ON f.pid = v.pid AND f.account = :nowhere
    WHERE v.account >= 0 GROUP BY v.pid"""


def place_orders(database: Database, accounts: int) -> None:
    """Write down in which accounts each order of the list should be; to be repeated when more is known.

    Args:
        database: of the run.
        accounts: how many the store feeds; with one there is nothing to tell.
    """
    if accounts == 1:
        return
    database.run("DELETE FROM belongs")
    for statement in (_TOLD, _MEANT, _TAKEN_BACK):
        database.run(statement)


def close_asking(database: Database, accounts: int) -> None:
    """What the answers of all accounts together say of an order that nothing places.

    Args:
        database: with the findings and the answers.
        accounts: how many the store feeds.
    """
    if accounts > 1:
        database.run(_NOWHERE, {"nowhere": NOWHERE, "accounts": accounts})
