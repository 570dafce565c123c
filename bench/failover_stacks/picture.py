"""The distributions as a picture: one panel for each service and fault, one line for each stack, a dot for each run.

Writes SVG by hand; the axis is logarithmic, because the stacks lie a hundredfold apart.
"""

import math
from html import escape

WIDTH, LEFT, RIGHT, ROW, HEAD, FOOT, TOP = 960, 290, 90, 26, 34, 34, 64
MARKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
COLOURS = ("#0b6e4f", "#c8553d", "#e09f3e", "#335c81", "#6d597a", "#7a7a7a")
STYLE = ("text{font-family:sans-serif;font-size:13px;fill:#222}.small{font-size:11px;fill:#666}"
         ".title{font-size:18px;font-weight:bold}.panel{font-size:14px;font-weight:bold}")
FAULT_WORDS = {"node-killed": "the node is killed", "link-cut": "its link is cut", "node-frozen": "it is frozen",
               "leader-killed": "it is killed, and it led the cluster", "service-killed": "only Apache is killed",
               "move": "planned move"}
SERVICE_WORDS = {"apache": "Address + Apache", "address": "Address only"}


def axis(values):
    """(lowest, highest) mark of the logarithmic axis that holds all values."""
    low = max([mark for mark in MARKS if mark <= min(values)], default=MARKS[0])
    high = min([mark for mark in MARKS if mark >= max(values)], default=MARKS[-1])
    return (low, high) if low < high else (low / 2, high * 2)


def place(value, low, high):
    share = math.log(max(value, low) / low) / math.log(high / low)
    return LEFT + min(1.0, share) * (WIDTH - LEFT - RIGHT)


def _text(x, y, text, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1, y1, x2, y2, colour, width=1.0):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _strip(y, title, values, colour, scale):
    """One stack: its name, a dot for each run, a bar at the median, and the median in figures."""
    low, high = scale
    parts = [_text(LEFT - 12, y + 4, title, anchor="end"), _line(LEFT, y, WIDTH - RIGHT, y, "#eee")]
    for index, value in enumerate(values):
        shift = (index % 3 - 1) * 3.0  # so that equal ones do not hide each other
        parts.append(f'<circle cx="{place(value, low, high):.1f}" cy="{y + shift:.1f}" r="3.2" fill="{colour}" '
                     f'fill-opacity="0.55"/>')
    middle = sorted(values)[len(values) // 2] if len(values) % 2 else \
        sum(sorted(values)[len(values) // 2 - 1:len(values) // 2 + 1]) / 2
    at = place(middle, low, high)
    parts += [_line(at, y - 9, at, y + 9, colour, 2.5), _text(WIDTH - RIGHT + 12, y + 4, f"{middle:.2f} s")]
    return parts


def _panel(y, title, strips, scale):
    low, high = scale
    parts = [_text(16, y + 18, title, "panel")]
    bottom = y + HEAD + ROW * len(strips)
    for mark in (mark for mark in MARKS if low <= mark <= high):
        x = place(mark, low, high)
        parts += [_line(x, y + HEAD - 8, x, bottom, "#ddd"), _text(x, bottom + 14, f"{mark:g} s", "small", "middle")]
    for index, (name, values, colour) in enumerate(strips):
        parts += _strip(y + HEAD + ROW * (index + 0.4), name, values, colour, scale)
    return parts, bottom + FOOT


def draw(samples, titles, subtitle):
    """The SVG. `samples`: [(stack, service, fault, outage in seconds)]; `titles`: stack -> its name for people."""
    known = [sample for sample in samples if sample[3] is not None]
    scale = axis([sample[3] for sample in known] or [1])
    parts, y = [_text(16, 28, "How long the client waits", "title"), _text(16, 48, subtitle, "small")], TOP
    for service, fault in dict.fromkeys((sample[1], sample[2]) for sample in known):
        strips = []
        for index, (stack, title) in enumerate(titles.items()):
            values = [one[3] for one in known if one[:3] == (stack, service, fault)]
            if values:
                strips.append((title, values, COLOURS[index % len(COLOURS)]))
        more, y = _panel(y, f"{SERVICE_WORDS.get(service, service)}: {FAULT_WORDS.get(fault, fault)}", strips, scale)
        parts += more
    body = "\n".join(parts)
    return (f'<svg xmlns="http:' f'//www.w3.org/2000/svg" width="{WIDTH}" height="{y:.0f}" '
            f'viewBox="0 0 {WIDTH} {y:.0f}">\n<style>{STYLE}</style>\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n')
