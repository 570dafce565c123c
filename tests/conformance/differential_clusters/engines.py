"""Runs both engines on a CIB and says in what they differ."""
import collections
import os
import re
import signal
import subprocess

HEADS = {"Current cluster status:": "status", "Executing Cluster Transition:": "actions",
         "Revised Cluster Status:": "placement"}
LEVELS = ("status", "placement", "actions")
NOT_NAMES = {"-", "Node", "List", "Online:", "OFFLINE:", "RemoteOnline:", "RemoteOFFLINE:", "GuestOnline:", "Full", "of",
             "Resources:", "Clone", "Set:", "Resource", "Group:", "Container", "bundle", "set:", "Replica"}
TIMEOUT_S = 20  # Pacemaker follows each path through a net of colocations, and may take for ever


class Engines:
    """crm_simulate and bascule, with a folder of their own for whatever they write."""

    def __init__(self, programs, folder):
        self.bascule = os.path.abspath(os.path.join(programs, "bascule"))
        self.folder = folder
        self.path = os.path.join(self.folder, "cib.xml")
        self.environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC", "TMPDIR": self.folder,
                            "PCMK_debug": "no", "PCMK_logfacility": "none"}

    def run(self, *command):
        """(exit code, standard output, standard error); the code is negative for a signal, None for a timeout."""
        try:
            done = subprocess.run(command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return None, "", ""
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def compare(self, text):
        """Both engines on this CIB."""
        code, ours, complaint = self.run_ours(text)
        if code is None or code < 0:
            return Outcome("crashed", [f"+bascule: {ending(code)}"] + complaint.splitlines()[:3])
        their_code, theirs, their_complaint = self.run_theirs(text)
        if not answered(their_code, their_complaint):
            return Outcome("oracle", [f"-crm_simulate: {ending(their_code)}"] + their_complaint.splitlines()[:3])
        if code != 0:
            return Outcome("refused", [f"+bascule: {ending(code)}"] + complaint.splitlines()[:3])
        return judge(sections(theirs), sections(ours))

    def ours(self, text):
        """What we say of it, by section; None if we say nothing."""
        code, ours, _ = self.run_ours(text)
        return sections(ours) if code == 0 else None

    def theirs(self, text):
        """What crm_simulate says of it; None if it gives no answer."""
        code, theirs, complaint = self.run_theirs(text)
        return sections(theirs) if answered(code, complaint) else None

    def run_ours(self, text):
        self.write(text)
        return self.run(self.bascule, "simulate", "--cib", self.path, "--format", "pacemaker")

    def run_theirs(self, text):
        self.write(text)
        return self.run("crm_simulate", "-x", self.path, "-S")

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)


def answered(code, complaint):
    """What waits for itself is never done; whatever does not is, and crm_simulate says so as usual before it gives up."""
    return code == 0 or code == 1 and "Transition failed: terminated" in complaint


class Outcome:
    """What differs: a level (None: nothing), and lines with - for what only Pacemaker says and + for what only we say."""

    def __init__(self, level=None, lines=(), levels=None):
        self.level = level
        self.lines = list(lines)
        self.levels = levels or ({level: self.lines} if level else {})

    @property
    def features(self):
        """What a smaller CIB must have at least one of, to be about the same difference: the same thing is said of the same
        resource or node, at the level where the difference begins."""
        return {(self.level, shape(line), subject(line)) for line in self.lines}

    @property
    def kind(self):
        """For sorting differences by their cause, as far as that can be seen from outside."""
        return f"{self.level}: " + ", ".join(sorted({shape(line) for line in self.lines})[:6])


def ending(code):
    if code is None:
        return f"no end within {TIMEOUT_S} s"
    return f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def shape(line):
    """A line without names: '-start', '+Fencing', '-Started'."""
    found = re.search(r"\* (?:Resource|Cluster|Pseudo) action: +\S+ +(\S+)", line)
    if found:
        return line[0] + re.sub(r"\d+", "N", found.group(1))
    for word in ("Fencing", "do_shutdown", "clear_failcount", "FAILED", "ORPHANED", "Starting", "Stopping", "Migrating",
                 "Promoting", "Demoting", "Promoted:", "Unpromoted:", "Started:", "Stopped:", "Promoted", "Unpromoted",
                 "Started", "Stopped", "UNCLEAN", "Online", "OFFLINE", "standby", "maintenance", "pending"):
        if word in line:
            return line[0] + word
    return line[0] + "other"


def subject(line):
    """The resource or node that a line is about."""
    found = re.search(r"\* (?:Resource|Cluster|Pseudo) action: +(\S+)", line)
    if found:
        return found.group(1)
    return next((word for word in re.findall(r"[\w:.-]+", line) if word not in NOT_NAMES), "")


def sections(text):
    """The lines of each section, with the headings above them."""
    found = {name: collections.Counter() for name in LEVELS}
    current, stack = None, []
    for line in text.splitlines():
        if line and not line.startswith(" "):
            current, stack = HEADS.get(line.strip()), []
            continue
        if current is None or not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        content = normal(line)
        while stack and stack[-1][0] >= indent:
            stack.pop()
        if not (current == "actions" and "Pseudo action:" in content):
            found[current][" / ".join([each for _, each in stack] + [content])] += 1
        stack.append((indent, content))
    return found


def normal(line):
    """Blanks folded, lists of members sorted."""
    folded = re.sub(r"\s+", " ", line).strip()
    return re.sub(r"\[ ([^\]]*?) ?\]", lambda found: "[ " + " ".join(sorted(found.group(1).split())) + " ]", folded)


def judge(theirs, ours):
    levels = {}
    for level in LEVELS:
        lines = ["-" + line for line in (theirs[level] - ours[level]).elements()]
        lines += ["+" + line for line in (ours[level] - theirs[level]).elements()]
        if lines:
            levels[level] = lines
    first = next(iter(levels), None)
    return Outcome(first, levels.get(first, ()), levels)
