"""Reads the sources as a strict reviewer would: layers, purity, lengths, papers. Run by ctest; prints one line per
finding and ends with 1 when there is any. `tidy.py ROOT [--self-test]`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

LAYERS = {"base": 0, "wire": 1, "core": 2, "runtime": 3, "edge": 4, "app": 5}
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800

# What a pure room must not touch: the clock, threads, files, the network, its own randomness.
FORBIDDEN_HEADERS = {
    "thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore", "latch", "barrier", "stop_token",
    "fstream", "iostream", "filesystem", "random", "ctime", "cstdio", "unistd.h",
    "fcntl.h", "time.h", "pthread.h", "sys/socket.h", "sys/stat.h", "sys/time.h", "netinet/in.h",
    "liburing.h", "poll.h", "signal.h", "csignal",
}
FORBIDDEN_CALLS = [
    (re.compile(r"\b(?:system_clock|steady_clock|high_resolution_clock)\b"), "reads a clock"),
    (re.compile(r"\bclock_gettime\s*\("), "reads a clock"),
    (re.compile(r"\bstd::(?:rand|srand|random_device|mt19937)\b"), "draws its own random numbers"),
    (re.compile(r"\bstd::(?:thread|jthread|async|mutex|atomic)\b"), "uses threads"),
    (re.compile(r"\bco_(?:await|return|yield)\b"), "is a coroutine"),
    (re.compile(r"\bgetenv\s*\("), "reads the environment"),
]
# Hosts that may be named in a committed file. Anything else may be a machine of somebody's own network.
PUBLIC_HOSTS = re.compile(
    r"^(?:.*\.)?(?:toml\.io|apache\.org|debian\.org|kernel\.org|linbit\.com|clusterlabs\.org|ietf\.org|rfc-editor\.org|"
    r"github\.com|github\.io|wikipedia\.org|example\.(?:com|org|net)|localhost|w3\.org|gnu\.org|cppreference\.com|"
    r"raft\.github\.io|commonmark\.org|semver\.org)$")
ADDRESS = re.compile(r"^(?:\d{1,3}\.){3}\d{1,3}$")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
BINARY = (".pcap", ".bin", ".img", ".png", ".gz", ".md.bin")


def strip(text):
    """The text without comments and without the content of literals; every line keeps its number."""
    def blank(match):
        found = match.group(0)
        if found.startswith(("/", )):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]

    raw = re.compile(r'R"([^(\s]*)\((?:.|\n)*?\)\1"')
    text = raw.sub(lambda match: '"' + re.sub(r"[^\n]", " ", match.group(0)[1:-1]) + '"', text)
    return re.sub(r'//[^\n]*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])\'', blank, text)


def functions(text):
    """(first line, number of lines) of every function body; lambdas and blocks count to the function around them."""
    text = strip(text)
    found, stack, head_start, line = [], [], 0, 1
    for index, char in enumerate(text):
        if char == "\n":
            line += 1
        elif char == "{":
            head = text[head_start:index]
            inside = any(kind == "function" for kind, _ in stack)
            stack.append(("block" if inside or not _opens_function(head) else "function", line))
            head_start = index + 1
        elif char == "}":
            if stack:
                kind, first = stack.pop()
                if kind == "function":
                    found.append((first, line - first + 1))
            head_start = index + 1
        elif char == ";":
            head_start = index + 1
    return found


def _opens_function(head):
    head = head.strip()
    if re.search(r"\b(?:namespace|enum|union)\b[^()]*$", head) or re.match(r"^(?:extern)\b", head):
        return False
    return ")" in head and not re.search(r"=\s*$", head)


class Tidy:
    def __init__(self, root):
        self.root = root
        self.findings = []
        self.files = self._committed()

    def _committed(self):
        git = subprocess.run(["git", "-C", self.root, "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=False) if shutil.which("git") else None
        if git is not None and git.returncode == 0:
            names = git.stdout.splitlines()
        else:
            names = [os.path.relpath(os.path.join(directory, name), self.root)
                     for directory, _, found in os.walk(self.root) for name in found]
            names = [name for name in names if not name.startswith(("build/", "out/", ".git/"))]
        return sorted(name for name in names if os.path.isfile(os.path.join(self.root, name)))

    def say(self, where, what):
        self.findings.append(f"{where}: {what}")

    def read(self, name):
        with open(os.path.join(self.root, name), errors="replace") as file:
            return file.read()

    def sources(self):
        return [name for name in self.files if name.startswith("src/") and name.endswith((".h", ".cpp"))]

    # --- rooms and layers -----------------------------------------------------------------------------------------

    @staticmethod
    def room(path):
        """The room of a path below src: "core/replication", "base", "app/blockd"."""
        parts = path.split("/")
        if parts[0] not in LAYERS:
            return None
        return "base" if parts[0] == "base" else "/".join(parts[:2])

    @staticmethod
    def layer(room):
        return LAYERS[room.split("/")[0]]

    def check_includes(self):
        edges = {}
        for name in self.sources():
            own = self.room(name[4:])
            if own is None:
                self.say(name, "lies in no layer")
                continue
            for number, line in enumerate(self.read(name).splitlines(), 1):
                match = INCLUDE.match(line)
                if match and match.group(1):
                    self._check_include(f"{name}:{number}", own, match.group(1), edges, name)
        return edges

    def _check_include(self, where, own, target, edges, name):
        other = self.room(target)
        if other is None or not os.path.isfile(os.path.join(self.root, "src", target)):
            self.say(where, f'include "{target}" is not written from src/')
            return
        if other == own:
            return
        test = name.endswith("_test.cpp") or "test" in os.path.basename(name)
        edges.setdefault(own, {}).setdefault(other, (where, test))
        if "/detail/" in target:
            self.say(where, f"{own} looks into the detail of {other}")
        if self.layer(other) > self.layer(own) and not test:
            self.say(where, f"{own} includes {other}, which is above it")
        elif self.layer(other) == self.layer(own) and not test and not self._readme_names(own, other):
            self.say(where, f"{own} uses its sister {other}, which its README.md does not say")

    def _readme_names(self, own, other):
        path = os.path.join(self.root, "src", own, "README.md")
        text = self.read(os.path.relpath(path, self.root)) if os.path.isfile(path) else ""
        return other in text or other.replace("/", "_") in text

    def check_targets(self, edges):
        """The CMake targets have the same edges: no target depends on one above, each include has its edge."""
        depends, home, tests = {}, {}, {}
        for name in self.files:
            if not name.startswith("src/") or not name.endswith("CMakeLists.txt"):
                continue
            room = self.room(os.path.dirname(name)[4:] or "none")
            text = re.sub(r"#[^\n]*", "", self.read(name))
            for kind, body in re.findall(r"bascule_(room|program|test|fuzz)\s*\(([^)]*)\)", text):
                words = body.split()
                wanted = {word for word in words if word.startswith("bascule_")}
                if kind == "room":
                    target = "bascule_" + words[0]
                    home[target] = room
                    depends.setdefault(target, set()).update(wanted)
                elif kind == "program":
                    depends.setdefault("program " + words[0], set()).update(wanted)
                    home["program " + words[0]] = room
                else:
                    tests.setdefault(room, set()).update(wanted)
        self._check_edges(depends, home, edges)

    def _check_edges(self, depends, home, edges):
        for target, wanted in depends.items():
            for other in wanted:
                if other in home and home[other] and self.layer(home[other]) > self.layer(home[target]):
                    self.say(home[target], f"target {target} depends on {other}, which is above it")
        rooms = {}
        for target, room in home.items():
            rooms.setdefault(room, set()).add(target)
        for own, others in edges.items():
            reach = self._reach(rooms.get(own, set()), depends)
            for other, (where, test) in others.items():
                if not test and rooms.get(own) and rooms.get(other) and not reach & rooms[other]:
                    self.say(where, f"{own} includes {other}, but its target does not depend on it")

    @staticmethod
    def _reach(start, depends):
        seen, todo = set(), list(start)
        while todo:
            target = todo.pop()
            if target not in seen:
                seen.add(target)
                todo += depends.get(target, ())
        return seen

    # --- purity and lengths -----------------------------------------------------------------------------------------

    def _unordered_containers(self):
        found = {}
        for name in self.sources():
            for variable in re.findall(r"\bunordered_(?:map|set)<[^;{}()]*>\s+(\w+)\s*[;={]", strip(self.read(name))):
                found.setdefault(self.room(name[4:]), set()).add(variable)
        return found

    def check_purity(self):
        unordered = self._unordered_containers()
        for name in self.sources():
            if not name.startswith(("src/core/", "src/wire/")) or re.search(r"_(?:test|fuzz)\.cpp$|test", name):
                continue
            text = self.read(name)
            for number, line in enumerate(strip(text).splitlines(), 1):
                match = INCLUDE.match(line)
                if match and match.group(2) in FORBIDDEN_HEADERS:
                    self.say(f"{name}:{number}", f"a pure room includes <{match.group(2)}>")
                for container in unordered.get(self.room(name[4:]), ()):
                    if re.search(rf"for\s*\([^;]*:\s*[\w.>-]*\b{container}\)|\b{container}\.c?begin\(", line):
                        self.say(f"{name}:{number}", f"a pure room iterates the unordered container {container}")
                for pattern, what in FORBIDDEN_CALLS:
                    if pattern.search(line):
                        self.say(f"{name}:{number}", f"a pure room {what}")

    def check_lengths(self):
        for name in self.files:
            if not name.startswith(("src/", "tests/")) or not name.endswith((".h", ".cpp", ".py", ".sh")):
                continue
            text = self.read(name)
            lines = text.count("\n")
            if lines > FILE_LINES_MAX:
                self.say(name, f"{lines} lines, at most {FILE_LINES_MAX}")
            if name.endswith((".h", ".cpp")):
                for first, length in functions(text):
                    if length > FUNCTION_LINES_MAX:
                        self.say(f"{name}:{first}", f"a function of {length} lines, at most {FUNCTION_LINES_MAX}")

    # --- papers ---------------------------------------------------------------------------------------------------

    def check_papers(self):
        rooms = {self.room(name[4:]) for name in self.sources()} - {None}
        for room in sorted(rooms):
            if not os.path.isfile(os.path.join(self.root, "src", room, "README.md")) and not room.startswith("app/"):
                self.say(f"src/{room}", "has no README.md")
            if room.startswith("wire/") and not os.path.isfile(os.path.join(self.root, "src", room, "FORMAT.md")):
                self.say(f"src/{room}", "is a codec without a FORMAT.md")

    def check_names(self):
        for name in self.files:
            if name.endswith(BINARY):
                continue
            text = self.read(name)
            if "\0" in text:
                continue
            if len(self.root) > 4 and self.root + "/" in text:
                self.say(name, "names the place of this checkout")
            for host in re.findall(r"https?://(?:[^/\s@]+@)?([A-Za-z0-9][A-Za-z0-9.-]*)", text):
                if not PUBLIC_HOSTS.match(host) and not ADDRESS.match(host) and "." in host:
                    self.say(name, f"names the host {host}")

    def check_format(self):
        names = [name for name in self.files if name.endswith((".h", ".cpp")) and name.startswith(("src/", "tests/"))]
        if not shutil.which("clang-format") or not names:
            return
        found = subprocess.run(["clang-format", "--dry-run", *names], cwd=self.root, capture_output=True, text=True,
                               check=False).stderr
        for name in sorted(set(re.findall(r"^([^:\s]+):\d+:\d+: (?:warning|error)", found, re.M))):
            self.say(name, "is not as clang-format writes it")

    def run(self):
        edges = self.check_includes()
        self.check_targets(edges)
        self.check_purity()
        self.check_lengths()
        self.check_papers()
        self.check_names()
        self.check_format()
        return self.findings


def self_test():
    """Every check must find the fault it is for."""
    faults = {
        "src/core/x/table.cpp": "std::unordered_map<int, int> names_;\nvoid f() { for (auto& n : names_) g(n); }\n",
        "src/base/up.h": '#include "core/x/x.h"\n',
        "src/core/x/x.h": "#include <thread>\n",
        "src/core/x/clock.cpp": '#include "core/y/detail/y.h"\nauto n = std::chrono::steady_clock::now();\n',
        "src/core/y/detail/y.h": "\n",
        "src/core/x/long.cpp": "int f(int a) {\n" + "  a++;\n" * 80 + "  return a;\n}\n",
        "src/core/x/huge.cpp": "int a;\n" * 801,
        "src/wire/w/w.h": "\n",
        "src/wire/w/CMakeLists.txt": "bascule_room(wire_w SOURCES w.cpp DEPENDS bascule_core_x)\n",
        "src/core/x/CMakeLists.txt": "bascule_room(core_x SOURCES x.cpp DEPENDS bascule_base)\n",
        "docs/host.md": "https:" + "//mirror.inside.lan/\n",
    }
    expected = ["which is above it", "a pure room includes <thread>", "reads a clock", "looks into the detail",
                "a function of 83 lines", "801 lines", "without a FORMAT.md", "has no README.md", "names the host",
                "target bascule_wire_w depends on bascule_core_x", "names the place of this checkout",
                "iterates the unordered container names_"]
    if shutil.which("clang-format"):
        expected.append("is not as clang-format writes it")
    with tempfile.TemporaryDirectory() as root:
        faults["docs/place.md"] = f"{root}/src\n"
        for name, text in faults.items():
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w") as file:
                file.write(text)
        shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.clang-format"), root)
        found = Tidy(root).run()
    missed = [what for what in expected if not any(what in finding for finding in found)]
    for what in missed:
        print(f"self-test: nothing found for: {what}")
    return missed


def main():
    missed = self_test()
    findings = Tidy(os.path.realpath(sys.argv[1])).run()
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings or missed else 0


if __name__ == "__main__":
    sys.exit(main())
