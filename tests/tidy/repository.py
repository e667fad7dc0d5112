"""The repository as the rules see it: its files, its modules and their floors, and C++ text without comments and strings."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

SKIPPED_FOLDERS = {".git", ".cache", ".vscode", ".idea", "build", "__pycache__", "node_modules"}
TEXT_SUFFIXES = {".cpp", ".hpp", ".h", ".capnp", ".cmake", ".in", ".txt", ".md", ".json", ".py", ".sh", ".toml", ".yml", ".yaml", ".supp"}
TEXT_NAMES = {"LICENSE", ".clang-format", ".clang-tidy", ".gitignore", ".editorconfig"}

# A number comes before the character literal, so that the ' of 1'000 does not begin one.
_CPP_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>\bR"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)")
      | (?P<number>\b\d[\w.']*)
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>'(?:\\.|[^'\\\n])+')""",
    re.DOTALL | re.VERBOSE,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<spelling><[^>\n]+>|"[^"\n]+")', re.MULTILINE)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text, keep_strings=False):
    """The text with every comment (and literal) made blank; lines keep their numbers."""

    def replace(match):
        if match.lastgroup == "number" or (keep_strings and match.lastgroup != "comment"):
            return match.group()
        return _blank(match.group())

    return _CPP_TOKEN.sub(replace, text)


@dataclass(frozen=True)
class Include:
    line: int
    path: str


@dataclass(frozen=True)
class Module:
    name: str
    folder: str
    floor: int


class File:
    def __init__(self, root, path):
        self.path = path
        self._root = root

    @cached_property
    def text(self):
        return (Path(self._root) / self.path).read_text(encoding="utf-8", errors="replace")

    @cached_property
    def lines(self):
        return self.text.split("\n")

    @cached_property
    def code(self):
        return without_comments(self.text)

    @cached_property
    def includes(self):
        text = without_comments(self.text, keep_strings=True)
        return [Include(text.count("\n", 0, m.start()) + 1, m.group("spelling")[1:-1]) for m in _INCLUDE.finditer(text)]

    @property
    def is_header(self):
        return self.path.endswith((".hpp", ".h"))

    @property
    def is_cpp(self):
        return self.is_header or self.path.endswith(".cpp")

    @property
    def is_cmake(self):
        return self.path.endswith(("CMakeLists.txt", ".cmake"))


class Repository:
    def __init__(self, root):
        self.root = Path(root)
        self.files = [File(self.root, path) for path in sorted(self._paths())]
        self.by_path = {file.path: file for file in self.files}

    def _paths(self):
        pending = [self.root]
        while pending:
            for entry in pending.pop().iterdir():
                if entry.is_symlink():
                    continue
                if entry.is_dir():
                    if entry.name not in SKIPPED_FOLDERS:
                        pending.append(entry)
                elif entry.suffix in TEXT_SUFFIXES or entry.name in TEXT_NAMES or self._is_script(entry):
                    yield entry.relative_to(self.root).as_posix()

    @staticmethod
    def _is_script(entry):
        if entry.suffix:
            return False
        with entry.open("rb") as stream:
            return stream.read(2) == b"#!"

    @cached_property
    def module_folders(self):
        """The folders that the top CMakeLists.txt names as modules."""
        top = self.by_path.get("CMakeLists.txt")
        match = re.search(r"tidemark_modules\(([^)]*)\)", top.text) if top else None
        return match.group(1).split() if match else []

    @cached_property
    def modules(self):
        """The modules that are declared, by name."""
        found = {}
        for folder in self.module_folders:
            declaration = self.by_path.get(f"{folder}/CMakeLists.txt")
            match = declaration and re.search(r"tidemark_module\(\s*NAME\s+(\w+)\s+FLOOR\s+(\d)", declaration.text)
            if match:
                found[match.group(1)] = Module(match.group(1), folder, int(match.group(2)))
        return found

    def module_of(self, file):
        for module in self.modules.values():
            if file.path.startswith(module.folder + "/"):
                return module
        return None

    def header_kind(self, file):
        """'promised', 'detail' or None."""
        module = self.module_of(file)
        if module is None or not file.is_header:
            return None
        inside = PurePosixPath(file.path).relative_to(module.folder).parts
        if inside[:2] != ("include", "tidemark"):
            return None
        return "detail" if "detail" in inside[3:-1] else "promised"

    def lists_above(self, file):
        """The CMakeLists.txt files of the file's folder and of those above it, with the file's path from there."""
        path = PurePosixPath(file.path)
        for folder in path.parents:
            found = self.by_path.get(str(folder / "CMakeLists.txt"))
            if found:
                yield found, str(path.relative_to(folder))
