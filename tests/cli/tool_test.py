"""The stand-alone program: checkpoints, explain, version; and the page of error codes."""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path

from fraud_job import FRAUD, TOOL, JobTest, call, transactions, tree

PROJECT = Path(os.environ["TIDEMARK_PROJECT"])


class Explain(JobTest):
    def codes(self):
        text = (PROJECT / "core/include/tidemark/core/status.hpp").read_text(encoding="utf-8")
        codes = [f"TM{int(number):04}" for number in re.findall(r"^  k\w+ = (\d+),", text, re.MULTILINE)]
        self.assertGreater(len(codes), 20)
        return codes

    def test_every_error_code_has_a_section_and_no_other_has(self):
        page = (PROJECT / "docs/errors.md").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r"^## (TM\d{4}) \S", page, re.MULTILINE), self.codes())

    def test_each_section_is_printed_alone(self):
        for code in self.codes():
            done = call(TOOL, "explain", code)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith(code + " "), done.stdout)
            self.assertEqual(len(re.findall(r"^#|^TM\d{4} ", done.stdout, re.MULTILINE)), 1, done.stdout)
            self.assertGreater(len(done.stdout), 200, f"{code} deserves more words")

    def test_a_code_may_be_written_carelessly(self):
        expected = call(TOOL, "explain", "TM0203").stdout
        for code in ("tm0203", "0203", "203", "TM203"):
            self.assertEqual(call(TOOL, "explain", code).stdout, expected)

    def test_an_unknown_code_is_refused(self):
        for code in ("TM9999", "", "TM", "TM02", "\n## TM0203"):
            self.assert_error(call(TOOL, "explain", code), "TM0101", 2, "tidemark explain TM0203")


class Checkpoints(JobTest):
    def setUp(self):
        super().setUp()
        self.input.write_text(transactions(3, 3000), encoding="utf-8")
        self.run_well("job", "--pace", 6000, "--checkpoint-every", "100ms")
        self.state = self.folder / "job" / "state"

    def test_are_listed_as_text_and_as_json(self):
        before = tree(self.state)
        text = call(TOOL, "checkpoints", "ls", "--state", self.state)
        self.assertEqual((text.returncode, text.stderr), (0, ""))
        lines = text.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["CHECKPOINT", "STATE", "CREATED", "ATTEMPT", "BYTES", "JOB"])
        objects = [json.loads(line) for line in call(TOOL, "checkpoints", "ls", "--json", "--state", self.state).stdout.splitlines()]
        self.assertEqual([line.split()[0] for line in lines[1:]], [str(each["checkpoint"]) for each in objects])
        self.assertEqual(objects[-1]["state"], "finished")
        self.assertEqual({each["job"] for each in objects}, {"fraud_detection"})
        for line, each in zip(lines[1:], objects):
            created = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
            self.assertRegex(line, rf"^ +{each['checkpoint']}  {each['state']} +{created} +1 +{each['bytes']}  fraud_detection$")
        self.assertEqual(tree(self.state), before)

    def test_one_is_shown_as_text_and_as_json(self):
        newest = json.loads(call(TOOL, "checkpoints", "ls", "--json", "--state", self.state).stdout.splitlines()[-1])
        for chosen in ([], [newest["checkpoint"]]):
            text = call(TOOL, "checkpoints", "show", "--state", self.state, *chosen)
            self.assertEqual(text.returncode, 0, text.stderr)
            for words in ("(finished)", "SOURCES", "transactions.csv", "STATE", "rules ", "TASKS", "SINKS", "alerts ", "FILES"):
                self.assertIn(words, text.stdout)
            self.assertTrue(text.stdout.startswith(f"checkpoint  {newest['checkpoint']} "), text.stdout)
            as_json = call(TOOL, "checkpoints", "show", "--json", "--state", self.state, *chosen)
            shown = json.loads(as_json.stdout)
            self.assertEqual({name: shown[name] for name in newest}, newest)
            self.assertEqual([(each["source"], each["finished"]) for each in shown["sources"]], [("transactions", True)])
            self.assertIn("rules", {each["operator"] for each in shown["states"]})
            self.assertIn("alerts", {each["sink"] for each in shown["sinks"]})
            self.assertGreater(len(shown["tasks"]), 0)

    def test_the_job_itself_shows_them_too(self):
        for verb in ("ls", "show"):
            arguments = ("checkpoints", verb, "--state", self.state)
            self.assertEqual(call(FRAUD, *arguments).stdout, call(TOOL, *arguments).stdout)

    def test_that_cannot_be_written_out_are_an_error(self):
        for words in (["ls"], ["ls", "--json"], ["show"], ["show", "--json"], ["verify"], ["verify", "--json"]):
            with self.subTest(words), open("/dev/full", "w", encoding="utf-8") as full:
                call_words = [TOOL, "checkpoints", *words, "--state", str(self.state)]
                done = subprocess.run(call_words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
                self.assert_error(done, "TM0301", 1, "standard output")

    def test_a_damaged_one_is_listed_as_such(self):
        manifest = sorted(self.state.glob("checkpoints/*/manifest"))[-1]
        content = bytearray(manifest.read_bytes())
        content[len(content) // 2] ^= 1
        manifest.chmod(0o600)
        manifest.write_bytes(content)
        number = int(manifest.parent.name)
        self.assertRegex(call(TOOL, "checkpoints", "ls", "--state", self.state).stdout, rf"(?m)^ +{number}  damaged ")
        as_json = call(TOOL, "checkpoints", "ls", "--json", "--state", self.state)
        shown = json.loads(as_json.stdout.splitlines()[-1])
        self.assertEqual((shown["checkpoint"], shown["state"]), (number, "damaged"))
        self.assertIn("manifest", shown["reason"])
        self.assert_error(call(TOOL, "checkpoints", "show", number, "--state", self.state), "TM0202", 3)

    def test_what_is_not_there_is_an_error(self):
        self.assert_error(call(TOOL, "checkpoints", "show", "999", "--state", self.state), "TM0201", 3, "999")
        nowhere = self.folder / "nowhere"
        self.assert_error(call(TOOL, "checkpoints", "ls", "--json", "--state", nowhere), "TM0201", 3, "nowhere")
        self.assert_error(call(TOOL, "checkpoints", "show", "none", "--state", self.state), "TM0101", 2, "latest")
        self.assert_error(call(TOOL, "checkpoints", "show", "--state", nowhere), "TM0201", 3, "--state")
        self.assertFalse(nowhere.exists())


class Program(JobTest):
    def test_without_a_job_there_is_no_run(self):
        self.assert_error(call(TOOL, "run"), "TM0101", 2, "unknown word run")
        self.assert_error(call(TOOL, "checkpoints", "ls"), "TM0101", 2, "--state is required")
        self.assert_error(call(TOOL, "demo"), "TM0101", 2, "subcommand is required")
        self.assert_error(call(TOOL, "demo", "frauds"), "TM0101", 2, "did you mean fraud?")
        self.assert_error(call(TOOL, "demo", "recovery", "--kill", "3"), "TM0101", 2, "did you mean --kills?")

    def test_help_lists_the_verbs(self):
        done = call(TOOL, "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for verb in ("checkpoints", "explain", "demo", "version"):
            self.assertIn(verb, done.stdout)

    def test_version_is_that_of_the_jobs(self):
        self.assertEqual(call(TOOL, "version").stdout, call(FRAUD, "version").stdout)

    def test_demo_fraud_finds_all_that_was_planted(self):
        done = call(TOOL, "demo", "fraud")
        self.assertEqual(done.returncode, 0, done.stderr)
        for rule in ("high_velocity", "impossible_travel", "amount_anomaly"):
            self.assertRegex(done.stdout, rf"(?m)^{rule} +\d+ +\d+ +100\.0%$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
