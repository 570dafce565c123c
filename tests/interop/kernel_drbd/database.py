"""A database on a file system on the volume: commits as fast as it can, and afterwards knows what must be there. Runs on the
host and in the guest."""

import hashlib
import sqlite3
import threading

FILE = "ledger.sqlite"


def _open(directory):
    connection = sqlite3.connect(f"{directory}/{FILE}", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=EXTRA")  # FULL may take the last commit back: it does not sync the directory
    return connection


def _entry(number):
    return hashlib.sha256(str(number).encode()).hexdigest() * 20


class Running:
    """Commits one entry after the other, each with the balance it leads to."""

    def __init__(self, directory):
        self.connection = _open(directory)
        self.connection.execute("CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, text TEXT)")
        self.connection.execute("CREATE TABLE IF NOT EXISTS balance (one INTEGER PRIMARY KEY, entries INTEGER)")
        self.connection.execute("INSERT OR IGNORE INTO balance VALUES (1, 0)")
        self.committed = self.connection.execute("SELECT entries FROM balance").fetchone()[0]
        self.running, self.error = True, None
        self.thread = threading.Thread(target=self._commit, daemon=True)
        self.thread.start()

    def _commit(self):
        try:
            while self.running:
                number = self.committed + 1
                self.connection.execute("BEGIN IMMEDIATE")
                self.connection.execute("INSERT INTO entry VALUES (?, ?)", (number, _entry(number)))
                self.connection.execute("UPDATE balance SET entries = ?", (number,))
                self.connection.execute("COMMIT")
                self.committed = number
        except sqlite3.Error as error:
            self.error = str(error)

    def stop(self):
        self.running = False
        self.thread.join()
        self.connection.close()
        return {"committed": self.committed, "error": self.error}


def check(directory, committed):
    """What is wrong with the database; empty: it is whole and has at least the committed entries."""
    connection = _open(directory)
    try:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            return f"integrity_check: {verdict}"
        balance = connection.execute("SELECT entries FROM balance").fetchone()[0]
        entries = connection.execute("SELECT number, text FROM entry ORDER BY number").fetchall()
    except sqlite3.Error as error:
        return str(error)
    finally:
        connection.close()
    if balance < committed:
        return f"{committed} entries were committed, {balance} are there"
    if entries != [(number, _entry(number)) for number in range(1, balance + 1)]:
        return "the entries are not those that were committed"
    return ""
