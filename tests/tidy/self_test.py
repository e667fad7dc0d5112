"""Proves that each rule of tidy can fail: a small good tree has no finding, and each small harm to it has exactly the one expected."""

import re
import tempfile
import unittest
from pathlib import Path

import rules
from tidy import check

GOOD_TREE = {
    "CMakeLists.txt": "tidemark_modules(\n  core\n  state\n  operators\n  checkpoint\n  runtime\n  connectors/file\n  cli)\n",
    "core/CMakeLists.txt": "tidemark_module(NAME core FLOOR 0 SOURCES\n"
                           "  HEADERS include/tidemark/core/time.hpp DETAIL_HEADERS include/tidemark/core/detail/hash.hpp)\n",
    "core/include/tidemark/core/time.hpp": "// Time.\n#pragma once\n#include <chrono>\n",
    "core/include/tidemark/core/detail/hash.hpp": "#pragma once\n#include <xxhash.h>\n#include <boost/pfr.hpp>\n",
    "state/CMakeLists.txt": "tidemark_module(NAME state FLOOR 1 SOURCES src/store.cpp LINKS core)\n",
    "state/src/store.cpp": "#include <tidemark/core/time.hpp>\n#include <rocksdb/db.h>\nint big = 1'000'000;\n"
                           "// std::thread in a comment\nconst char* text = \"std::thread in a string\";\n"
                           "long file(Store& s) { return s.write(1); }\n",
    "operators/CMakeLists.txt": "tidemark_module(NAME operators FLOOR 2)\n",
    "checkpoint/CMakeLists.txt": "tidemark_module(NAME checkpoint FLOOR 2 CAPNP_SCHEMAS src/manifest.capnp)\n",
    "checkpoint/src/manifest.capnp": "struct Manifest {}\n",
    "runtime/CMakeLists.txt": "tidemark_module(NAME runtime FLOOR 3)\n",
    "connectors/file/CMakeLists.txt": "tidemark_module(NAME file FLOOR 4 OPTIONAL)\n",
    "cli/CMakeLists.txt": "tidemark_module(NAME cli FLOOR 4 OPTIONAL)\n",
    "examples/CMakeLists.txt": "tidemark_program(NAME job SOURCES job.cpp)\nrefused(one refused/${name}.cpp)\n",
    "examples/refused/one.cpp": "int main() {}\n",
    "examples/job.cpp": "#include <tidemark/core/time.hpp>\n#include <thread>\nstd::thread worker;\n",
}

STATE = "state/src/store.cpp"
HEADER = "core/include/tidemark/core/time.hpp"
DETAIL = "core/include/tidemark/core/detail/hash.hpp"

# (what is wrong, the rule that says so, the file that is written, its text; None removes the file)
HARMS = [
    ("a third-party header in a promised header", "third_party_in_header", HEADER, "#pragma once\n#include <rocksdb/db.h>\n"),
    ("a header-only library in a promised header", "third_party_in_header", HEADER, "#pragma once\n#include <boost/pfr.hpp>\n"),
    ("a system header in a promised header", "third_party_in_header", HEADER, "#pragma once\n#include <unistd.h>\n"),
    ("a third-party type in a promised header", "third_party_in_header", HEADER, "#pragma once\nrocksdb::DB* db();\n"),
    ("an unlisted library in a detail header", "third_party_in_header", DETAIL, "#pragma once\n#include <boost/asio.hpp>\n"),
    ("a source that no CMake file names", "unnamed_source", "state/src/lost.cpp", "int lost;\n"),
    ("a source of which only the end of a name is named", "unnamed_source", "state/src/more/store.cpp", "int lost;\n"),
    ("an installed header that no CMake file names", "unnamed_source", "core/include/tidemark/core/lost.hpp", "#pragma once\n"),
    ("an example that no CMake file names", "unnamed_source", "examples/lost.cpp", "int main() {}\n"),
    ("a source that only a pattern would name", "unnamed_source", "examples/refused/lost.cpp", "int main() {}\n"),
    ("a test that is named in a comment only", "unnamed_source", "tests/core/a_test.cpp", "int main() {}\n"),
    ("sources that are globbed", "globbed_sources", "examples/more/CMakeLists.txt", "file(GLOB sources *.cpp)\n"),
    ("an include of a higher floor", "climbing_include", STATE, "#include <tidemark/runtime/runtime.hpp>\n"),
    ("an include of a higher floor in quotes", "climbing_include", STATE, '#include "tidemark/operators/window.hpp"\n'),
    ("an include of the same floor", "climbing_include", "operators/src/a.hpp", "#pragma once\n#include <tidemark/checkpoint/a.hpp>\n"),
    ("the cli includes a connector", "climbing_include", "cli/src/a.hpp", "#pragma once\n#include <tidemark/file/source.hpp>\n"),
    ("an include by the way of the parent folder", "climbing_include", STATE, '#include "../../runtime/src/a.hpp"\n'),
    ("a test that reaches into a module", "climbing_include", "examples/job.cpp", '#include "../runtime/src/a.hpp"\n'),
    ("an include by a module's folder", "climbing_include", STATE, "#include <runtime/include/tidemark/runtime/a.hpp>\n"),
    ("an include of no module", "climbing_include", STATE, "#include <tidemark/stat/a.hpp>\n"),
    ("an example that uses what is not promised", "detail_in_example", "examples/job.cpp", "#include <tidemark/core/detail/hash.hpp>\n"),
    ("a header without #pragma once", "missing_pragma_once", "state/src/a.hpp", "int a();\n"),
    ("a header with #pragma once in a comment", "missing_pragma_once", "state/src/a.hpp", "// #pragma once\nint a();\n"),
    ("a module without a README.md", "incomplete_module", "state/README.md", None),
    ("a module that is not declared", "incomplete_module", "operators/CMakeLists.txt", "# nothing\n"),
    ("a reminder in a source", "reminder", STATE, "// TO" + "DO: later\n"),
    ("a reminder in a document", "reminder", "core/README.md", "What it is for. FIX" + "ME\n"),
    ("the path of a machine", "forbidden_text", "core/README.md", "See /ho" + "me/someone/notes.\n"),
    ("the host of a registry", "forbidden_text", "core/README.md", "See py" + "pi.org.\n"),
    ("a tab", "untidy_blanks", STATE, "\tint a;\n"),
    ("blanks at the end of a line", "untidy_blanks", STATE, "int a; \n"),
    ("no newline at the end", "untidy_blanks", STATE, "int a;"),
    ("a line that is too long", "long_line", STATE, "// " + "x" * 140 + "\n"),
    ("a file that is too long", "long_file", STATE, "int a();\n" * 701),
    ("a clock", "outside_a_seam", STATE, "auto now = std::chrono::steady_clock::now();\n"),
    ("a sleep", "outside_a_seam", STATE, "void f() { std::this_thread::sleep_for(1s); }\n"),
    ("a thread", "outside_a_seam", STATE, "std::jthread worker;\n"),
    ("a child process", "outside_a_seam", STATE, "int f() { return fork(); }\n"),
    ("a random device", "outside_a_seam", STATE, "std::random_device seed;\n"),
    ("rand", "outside_a_seam", STATE, "int f() { return rand(); }\n"),
    ("a file stream", "outside_a_seam", STATE, "std::ofstream out;\n"),
    ("a system call on files", "outside_a_seam", STATE, "int f() { return ::open(name, 0); }\n"),
    ("a socket", "outside_a_seam", STATE, "int f() { return ::socket(1, 1, 0); }\n"),
    ("the standard file system", "outside_a_seam", STATE, "void f() { std::filesystem::remove(name); }\n"),
    ("an end of the process", "outside_a_seam", STATE, "void f() { std::exit(1); }\n"),
    ("a signal handler", "outside_a_seam", STATE, "void f() { ::sigaction(2, &action, nullptr); }\n"),
    ("a library that is loaded by its name", "outside_a_seam", STATE, "void* f() { return dlopen(name, 0); }\n"),
    ("a plug-in of RocksDB", "outside_a_seam", STATE, "auto f() { return rocksdb::ObjectRegistry::NewInstance(); }\n"),
    ("a regular expression", "outside_a_seam", STATE, "std::regex pattern;\n"),
    ("output to the terminal", "outside_a_seam", STATE, "void f() { std::cerr << 1; }\n"),
    ("a seam that is gone", "stale_seam", "core/src/random.cpp", None),
    ("a seam that is not needed any more", "stale_seam", "core/src/random.cpp", "int random;\n"),
]


def harm_of(seam):
    """A text that does what the seam is for, or None."""
    return next((text for _, rule, _, text in HARMS if rule == "outside_a_seam" and re.search(seam.pattern, text)), None)


def add_modules_and_seams():
    modules = ("core", "state", "operators", "checkpoint", "runtime", "connectors/file", "cli")
    for module in modules:
        GOOD_TREE[f"{module}/README.md"] = "What it is for.\n"
    for number, seam in enumerate(rules.SEAMS):
        for place in seam.places:
            path = f"{place}seam{number}.cpp" if place.endswith("/") else place
            module = next(module for module in modules if path.startswith(module + "/"))
            GOOD_TREE[path] = GOOD_TREE.get(path, "") + harm_of(seam)
            GOOD_TREE[f"{module}/CMakeLists.txt"] += f"set(seam {path[len(module) + 1:]})\n"


add_modules_and_seams()


class EveryRuleCanFail(unittest.TestCase):
    def findings(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in {**GOOD_TREE, **changes}.items():
                if text is not None:
                    file = Path(folder) / path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(text, encoding="utf-8")
            return check(folder)

    def test_a_good_tree_has_no_finding(self):
        self.assertEqual(self.findings({}), [])

    def test_each_harm_is_found_where_it_is(self):
        for what, rule, path, text in HARMS:
            with self.subTest(what):
                changes = {path: text}
                if path == "tests/core/a_test.cpp":
                    changes["tests/core/CMakeLists.txt"] = "# a_test.cpp was here\n"
                found = self.findings(changes)
                self.assertEqual([finding.rule for finding in found][:1], [rule], found)
                self.assertEqual({finding.rule for finding in found}, {rule}, found)
                self.assertIn(path, {finding.path for finding in found})

    def test_each_rule_has_a_harm(self):
        self.assertEqual({rule.__name__ for rule in rules.RULES}, {rule for _, rule, _, _ in HARMS})

    def test_each_seam_has_a_harm(self):
        for seam in rules.SEAMS:
            with self.subTest(seam.what):
                self.assertIsNotNone(harm_of(seam))


if __name__ == "__main__":
    unittest.main()
