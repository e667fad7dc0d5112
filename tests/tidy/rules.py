"""What the house forbids. A rule is a generator of findings over a repository; RULES names them all."""

import posixpath
import re
from dataclasses import dataclass

LONGEST_FILE = 700
LONGEST_LINE = 140

# Modules that exist to meet a third-party type, which their headers may name.
MEETS_THIRD_PARTY = {"capnp", "testing"}
DETAIL_MAY_INCLUDE = re.compile(r"^(boost/pfr(\.hpp|/.*)|boost/unordered/.*|xxhash\.h)$")
THIRD_PARTY_NAMES = re.compile(r"\b(boost|rocksdb|spdlog|fmt|capnp|kj|CLI|toml|simdjson|date)::")
# Linux's own headers that promised headers may not pull in either have a ".h"; the standard library's have no dot.
STANDARD_HEADER = re.compile(r"^[a-z0-9_]+$")

# Words are put together here, so that this file does not break its own rule.
REMINDERS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
FORBIDDEN_TEXT = re.compile(
    "|".join(
        [
            r"(?<![\w.}/-])/(" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me", "tm" + "p", "Us" + "ers"]) + r")(/|\b)",
            r"\b(" + "|".join(["Cla" + "ude", "Anth" + "ropic", "Chat" + "GPT", "Co" + "pilot", "L" + "LM", "AI" + "-generated"]) + r")\b",
            r"\b(" + "|".join(["registry" + r"\.npmjs", "repo1" + r"\.maven", "pypi" + r"\.org", "deb" + r"\.debian\.org"]) + r")\b",
        ]
    )
)

# The seams: what only the places named may do. A place is a file, or a folder when it ends in "/".
@dataclass(frozen=True)
class Seam:
    what: str
    pattern: str
    places: tuple


# A call of a free function by this name: not a member, not a name of another namespace.
def _calls(*names):
    return r"(?<![\w.>:])(::)?(" + "|".join(names) + r")\s*\("


# A call by the name in the global namespace; members and our own functions have these names too.
def _global_calls(*names):
    return r"(?<![\w>.:])::(" + "|".join(names) + r")\s*\("


SEAMS = (
    Seam(
        "reads a clock or sleeps",
        "|".join([
            r"\b(steady_clock|system_clock|high_resolution_clock|utc_clock)::now\b|\bstd::time\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\)",
            r"\bsleep_(for|until)\s*\(",
            _calls("clock_gettime", "gettimeofday", "localtime", "localtime_r", "gmtime", "usleep", "nanosleep"),
        ]),
        ("core/src/clock.cpp",),
    ),
    Seam(
        "starts a thread or a process",
        "|".join([
            r"\bstd::j?thread\b(?!::)|\bstd::async\b|\bpthread_create\b",
            _calls("fork", "vfork", "posix_spawnp?", "execvp?", "execve", "system", "popen"),
        ]),
        ("core/src/thread_jobs.cpp", "runtime/src/thread_executor.cpp", "state/src/store_threads.cpp"),
    ),
    Seam(
        "draws from an unseeded source",
        r"\brandom_device\b|\bstd::s?rand\b|" + _calls("rand", "srand", "drand48", "getrandom", "getentropy"),
        ("core/src/random.cpp",),
    ),
    Seam(
        "calls the file system directly",
        "|".join([
            r"\bstd::(i|o)?fstream\b|\bstd::filesystem::(?!path\b)|\bstd::(fopen|rename)\s*\(",
            _calls("fopen", "freopen", "fdopen", "openat", "fsync", "fdatasync", "unlink", "unlinkat", "linkat", "renameat2?", "mkdirat",
                   "ftruncate", "fallocate", "flock", "opendir", "mkstemp", "mkdtemp", "pread", "pwrite"),
            _global_calls("open", "creat", "read", "write", "rename", "link", "mkdir", "rmdir", "remove", "stat", "fstat", "lstat",
                          "truncate"),
        ]),
        ("core/src/posix_file_system.cpp", "cli/src/local_socket.cpp"),
    ),
    Seam(
        "opens a socket",
        _global_calls("socket", "bind", "listen", "accept4?", "connect", "send", "recv"),
        ("cli/src/local_socket.cpp",),
    ),
    Seam(
        "ends the process or takes a signal",
        r"\bstd::(exit|quick_exit|_Exit|abort|terminate|signal|raise)\s*\(|"
        + _calls("exit", "_exit", "sigaction", "signalfd", "kill"),
        ("cli/",),
    ),
    # S11, S12, S14: no place may. What is decoded never names code, and no record is matched in more than linear time.
    Seam(
        "finds code by a name",
        r"\b(ObjectRegistry|ObjectLibrary|ConfigOptions|LoadLatestOptions|LoadOptionsFromFile|CreateFromString"
        r"|Get\w*OptionsFrom(String|Map))\b|" + _calls("dlopen", "dlmopen", "dlsym", "dlvsym"),
        (),
    ),
    Seam("matches regular expressions", r"\bstd::w?regex\b|" + _calls("regcomp", "regexec"), ()),
    Seam(
        "writes to the terminal",
        r"\bstd::(cout|cerr|clog|puts|printf|putchar)\b|\bfmt::print\b|" + _calls("printf", "fprintf", "puts", "fputs", "putchar"),
        (),
    ),
)


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str


def _line_of(text, position):
    return text.count("\n", 0, position) + 1


def third_party_in_header(repo):
    """A promised header includes only the standard library and tidemark; a detail header also what templates need."""
    for file in repo.files:
        kind = repo.header_kind(file)
        if kind is None or repo.module_of(file).name in MEETS_THIRD_PARTY:
            continue
        for include in file.includes:
            if include.path.startswith("tidemark/") or STANDARD_HEADER.match(include.path):
                continue
            if kind == "detail" and DETAIL_MAY_INCLUDE.match(include.path):
                continue
            yield Finding(file.path, include.line, "third_party_in_header", f"a {kind} header must not include <{include.path}>")
        if kind == "promised":
            for match in THIRD_PARTY_NAMES.finditer(file.code):
                yield Finding(file.path, _line_of(file.code, match.start()), "third_party_in_header",
                              f"a promised header must not name {match.group()}")


def unnamed_source(repo):
    """Each source and each installed header is named, by its path, in a CMakeLists.txt of its folder or above."""
    for file in repo.files:
        if not (file.path.endswith((".cpp", ".capnp")) or repo.header_kind(file)):
            continue
        if not any(_names(_without_cmake_comments(cmake.text), path) for cmake, path in repo.lists_above(file)):
            yield Finding(file.path, 1, "unnamed_source", "no CMakeLists.txt names this file")


def _names(text, path):
    if re.search(r"(?<![\w./-])" + re.escape(path) + r"(?![\w./-])", text):
        return True
    # A list may give the middle of a name to a function of its own: "refused/${name}.cpp" names refused/a.cpp
    # if the word a stands in it too.
    for before, after in re.findall(r"(?<![\w./-])([\w./-]*)\$\{\w+\}([\w./-]*)", text):
        middle = path[len(before):len(path) - len(after)]
        if before + middle + after == path and re.fullmatch(r"\w+", middle) and re.search(rf"\(\s*{middle}\b", text):
            return True
    return False


def _without_cmake_comments(text):
    return re.sub(r"(?m)(^|\s)#.*$", "", text)


def globbed_sources(repo):
    """Sources are named, not globbed."""
    for file in repo.files:
        if file.is_cmake and file.path != "cmake/TidemarkModule.cmake":
            for match in re.finditer(r"file\(\s*GLOB", _without_cmake_comments(file.text)):
                yield Finding(file.path, _line_of(file.text, match.start()), "globbed_sources", "name the files instead of globbing them")


def climbing_include(repo):
    """A module includes only itself and modules of lower floors, by whatever spelling; nobody reaches into a module's folder by a path."""
    for file in repo.files:
        if not file.is_cpp:
            continue
        own = repo.module_of(file)
        for include in file.includes:
            parts = include.path.split("/")
            if ".." in parts and _leaves_its_part(repo, file, include.path):
                yield Finding(file.path, include.line, "climbing_include", f'"{include.path}" leaves its part of the house by ".."')
            elif len(parts) > 1 and parts[0] != "tidemark" and _is_module_path(repo, include.path):
                yield Finding(file.path, include.line, "climbing_include", f'"{include.path}" names a module by its folder')
            elif parts[0] == "tidemark" and len(parts) > 2 and own is not None:
                other = repo.modules.get(parts[1])
                if other is None:
                    yield Finding(file.path, include.line, "climbing_include", f"<{include.path}>: there is no module {parts[1]}")
                elif other.name != own.name and other.floor >= own.floor:
                    yield Finding(file.path, include.line, "climbing_include",
                                  f"{own.name} (floor {own.floor}) must not include {other.name} (floor {other.floor})")


def _leaves_its_part(repo, file, include_path):
    own = repo.module_of(file)
    part = own.folder if own else file.path.split("/")[0]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), include_path))
    return not target.startswith(part + "/")


def _is_module_path(repo, path):
    # <capnp/message.h> is Cap'n Proto's own, though there is a module of that name.
    return any(path.startswith((folder + "/include/", folder + "/src/")) for folder in repo.module_folders)


def detail_in_example(repo):
    """Examples show what is promised."""
    for file in repo.files:
        if file.path.startswith("examples/") and file.is_cpp:
            for include in file.includes:
                if include.path.startswith("tidemark/") and "/detail/" in include.path:
                    yield Finding(file.path, include.line, "detail_in_example", f"<{include.path}> is not promised")


def missing_pragma_once(repo):
    """Each header begins with #pragma once."""
    for file in repo.files:
        if file.is_header:
            first = next((line.strip() for line in file.code.split("\n") if line.strip()), "")
            if first != "#pragma once":
                yield Finding(file.path, 1, "missing_pragma_once", "a header's first code line is #pragma once")


def incomplete_module(repo):
    """Each module that the top CMakeLists.txt names is there, declared once, with a README.md."""
    declared = {module.folder for module in repo.modules.values()}
    for folder in repo.module_folders:
        if folder not in declared:
            yield Finding(f"{folder}/CMakeLists.txt", 1, "incomplete_module", "not declared by tidemark_module(NAME … FLOOR …")
        elif f"{folder}/README.md" not in repo.by_path:
            yield Finding(f"{folder}/README.md", 1, "incomplete_module", "a module explains itself in a README.md")


def reminder(repo):
    """What is left to do stands in the tracker, not in the text."""
    for file in repo.files:
        for number, line in enumerate(file.lines, 1):
            match = REMINDERS.search(line)
            if match:
                yield Finding(file.path, number, "reminder", f"{match.group()} is left in the text")


def forbidden_text(repo):
    """No paths of one machine, no hosts of registries, no word of how the text came to be."""
    for file in repo.files:
        for number, line in enumerate(file.lines, 1):
            match = FORBIDDEN_TEXT.search(line)
            # The first line of a script names its interpreter.
            if match and not line.startswith("#!"):
                yield Finding(file.path, number, "forbidden_text", f"{match.group()!r} must not stand in the project")


def untidy_blanks(repo):
    """No tabs, no blanks at the end of a line, and a newline at the end of the file."""
    for file in repo.files:
        if file.path == "LICENSE":
            continue
        for number, line in enumerate(file.lines, 1):
            if "\t" in line or "\r" in line:
                yield Finding(file.path, number, "untidy_blanks", "a tab or a carriage return")
            elif line != line.rstrip():
                yield Finding(file.path, number, "untidy_blanks", "blanks at the end of the line")
        if file.text and not file.text.endswith("\n"):
            yield Finding(file.path, len(file.lines), "untidy_blanks", "no newline at the end")


def long_line(repo):
    """Code keeps to the width that .clang-format sets."""
    for file in repo.files:
        if file.is_cpp or file.is_cmake or file.path.endswith(".py"):
            for number, line in enumerate(file.lines, 1):
                if len(line) > LONGEST_LINE:
                    yield Finding(file.path, number, "long_line", f"{len(line)} columns; at most {LONGEST_LINE}")


def long_file(repo):
    """One file, one concept."""
    for file in repo.files:
        if (file.is_cpp or file.path.endswith(".py")) and len(file.lines) - 1 > LONGEST_FILE:
            yield Finding(file.path, LONGEST_FILE + 1, "long_file", f"{len(file.lines) - 1} lines; at most {LONGEST_FILE}")


def _is_at(file, place):
    return file.path == place or (place.endswith("/") and file.path.startswith(place))


def outside_a_seam(repo):
    """Clocks, threads, randomness, files, the process and the terminal are reached only where the table of seams says."""
    for file in repo.files:
        if not file.is_cpp or repo.module_of(file) is None:
            continue
        for seam in SEAMS:
            if any(_is_at(file, place) for place in seam.places):
                continue
            for match in re.finditer(seam.pattern, file.code):
                yield Finding(file.path, _line_of(file.code, match.start()), "outside_a_seam", f"{match.group().strip()}: {seam.what}")


def stale_seam(repo):
    """A place that the table of seams allows, but that does not need it, would allow the next change there."""
    for seam in SEAMS:
        for place in seam.places:
            if not any(_is_at(file, place) and re.search(seam.pattern, file.code) for file in repo.files):
                yield Finding(place, 1, "stale_seam", f"the table of seams names it, but nothing there {seam.what}")


RULES = (
    third_party_in_header,
    unnamed_source,
    globbed_sources,
    climbing_include,
    detail_in_example,
    missing_pragma_once,
    incomplete_module,
    reminder,
    forbidden_text,
    untidy_blanks,
    long_line,
    long_file,
    outside_a_seam,
    stale_seam,
)
