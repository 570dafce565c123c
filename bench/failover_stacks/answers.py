"""What the client has been told so far, read while it goes on asking."""

import bisect
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    acked_ns: int
    sent_ns: int
    host: str


def parse(line):
    try:
        entry = json.loads(line)
        return Answer(entry["acked_ns"], entry["sent_ns"], entry["host"])
    except (ValueError, KeyError):
        return None


class Answers:
    """All answers in the order of their arrival."""

    def __init__(self, path=None):
        self._path, self._offset, self._rest = path, 0, b""
        self.all = []

    def poll(self):
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return self
        lines = (self._rest + data).split(b"\n")
        self._offset, self._rest = self._offset + len(data), lines[-1]
        self.all += [answer for answer in map(parse, lines[:-1]) if answer]
        return self

    def after(self, at_ns):
        return self.all[bisect.bisect_right(self.all, at_ns, key=lambda answer: answer.acked_ns):]

    def last_host(self):
        return self.all[-1].host if self.all else None

    def first(self, after_ns, not_by=None):
        """The first answer to a question that was asked after this moment, by another host than this one."""
        return next((answer for answer in self.after(after_ns)
                     if answer.sent_ns > after_ns and answer.host != not_by), None)

    def longest_gap_s(self, from_ns, to_ns):
        """The longest time between two answers of which the later one came in this time; what was open at its end
        counts too. None when nothing at all was answered before the end."""
        last = bisect.bisect_right(self.all, from_ns, key=lambda answer: answer.acked_ns)
        moments = [self.all[last - 1].acked_ns if last else from_ns]
        moments += [answer.acked_ns for answer in self.all[last:] if answer.acked_ns <= to_ns]
        if len(moments) < 2:
            return None
        return max(later - earlier for earlier, later in zip(moments, moments[1:] + [to_ns])) / 1e9
