"""The command line of a job as its user meets it: every test starts the real program."""

import json
import os
import signal
import subprocess
import time
import unittest

from fraud_job import FRAUD, HEADER, PATIENCE_S, JobTest, alerts, call, results, transactions, tree


class Usage(JobTest):
    def refused(self, *arguments):
        done = call(FRAUD, *arguments)
        self.assertEqual(done.stdout, "")
        return done

    def test_a_result_that_cannot_be_written_is_an_error(self):
        job = ["--transactions", "x", "--out", "y"]
        for words in (["--help"], ["version"], ["plan", *job], ["plan", *job, "--format", "json"]):
            with self.subTest(words), open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([FRAUD, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=PATIENCE_S)
                self.assert_error(done, "TM0301", 1, "standard output")

    def test_help_is_a_result(self):
        for arguments, words in (
            (["--help"], ["run", "plan", "checkpoints", "version"]),
            (["run", "--help"], ["--transactions", "--state", "--rules", "30s"]),
            (["checkpoints", "--help"], ["ls", "show"]),
        ):
            done = call(FRAUD, *arguments)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for word in words:
                self.assertIn(word, done.stdout)

    def test_a_wrong_command_line_is_refused_and_the_remedy_is_named(self):
        job = ["--transactions", "x", "--out", "y"]
        for arguments, words in (
            ([], ["subcommand is required", "--help"]),
            (["rum"], ["unknown word rum", "did you mean run?"]),
            (["run", *job, "--parallelim", "2"], ["unknown option --parallelim", "did you mean --parallelism?"]),
            (["run", *job, "--parallelim=2"], ["did you mean --parallelism?"]),
            (["run", "--transaction", "x", "--out", "y"], ["unknown option --transaction", "did you mean --transactions?"]),
            (["run", "--out", "y"], ["--transactions is required"]),
            (["plan", "--transactions", "x"], ["--out is required"]),
            (["run", *job, "--rules", "v3"], ["v3", "v1", "v2"]),
            (["run", *job, "--disorder", "30"], ["--disorder", '"30" is no duration', "30s"]),
            (["run", *job, "--pace", "fast"], ["--pace", "fast"]),
            (["run", *job, "--pace", "-1"], ["--pace", "-1"]),
            (["run", *job, "--speed", "fast"], ['"fast" is no speed', "60x"]),
            (["run", *job, "--from", "yesterday"], ["--from", "yesterday", "checkpoints ls"]),
            (["run", *job, "--from", "0"], ["--from"]),
            (["run", *job, "--memory", "much"], ["--memory", "much"]),
            (["run", *job, "--memory", "-1"], ["--memory", "-1 is negative"]),
            (["run", *job, "--memory", "99999999999999999999"], ["--memory", "more than there can be"]),
            (["run", *job, "--memory", "2305843009213693952"], ["--memory", "more than there can be"]),
            (["plan", *job, "--parallelism", "0"], ["--parallelism"]),
            (["stop", "--label", ""], ["--label", "empty"]),
            (["run", *job, "--verify", "some"], ["some", "lazy", "full"]),
            (["run", *job, "--parallelism"], ["--parallelism"]),
            (["plan", *job, "--format", "pdf"], ["pdf", "mermaid"]),
            (["checkpoints"], ["subcommand is required"]),
            (["checkpoints", "shows"], ["did you mean show?"]),
            (["checkpoints", "show", "newest"], ["newest", "savepoint:LABEL"]),
        ):
            with self.subTest(arguments):
                self.assert_error(self.refused(*arguments), "TM0101", 2, *words, "  fix  : ")

    def test_values_that_cannot_work_are_refused_before_anything_is_touched(self):
        self.input.write_text(transactions(1, 10), encoding="utf-8")
        before = tree(self.folder)
        for flag, value, word in (
            ("--parallelism", 0, "parallelism 0"),
            ("--parallelism", 1000, "parallelism 1000"),
            ("--batch", 0, "batch"),
            ("--batch", 100_000, "batch"),
            ("--checkpoint-every", "40000d", "a hundred years"),
        ):
            with self.subTest(flag=flag, value=value):
                self.assert_error(self.run_job("job", flag, value), "TM0104", 2, word)
        self.assertEqual(tree(self.folder), before)

    def test_version(self):
        self.assertRegex(call(FRAUD, "version").stdout, r"^tidemark \d+\.\d+\.\d+\n$")


class Memory(JobTest):
    def test_bounds_a_job_without_changing_what_it_writes(self):
        self.input.write_text(transactions(2, 5000), encoding="utf-8")
        for name, more in (("free", []), ("bounded", ["--memory", "16MiB", "--checkpoint-every", "20ms"])):
            done = self.run_job(name, *more)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(results(self.folder / "bounded" / "out"), results(self.folder / "free" / "out"))

    def test_that_is_too_little_is_refused_with_the_remedy(self):
        self.input.write_text(transactions(2, 10), encoding="utf-8")
        self.assert_error(self.run_job("job", "--memory", "100KiB"), "TM0104", 2, "102400 bytes is too little", "raise the memory")


class Plan(JobTest):
    def plan(self, *more):
        done = call(FRAUD, "plan", "--transactions", self.folder / "absent.csv", "--out", self.folder / "out", *more)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_touches_nothing(self):
        self.plan()
        self.assertEqual(tree(self.folder), {})

    def test_text_names_stages_and_guarantees(self):
        text = self.plan("--parallelism", 2)
        for line in (
            "parallelism 2",
            "rules  [stateful] process in event-time order",
            "  <- key_by-1, exchanged by key",
            "  <- rules (late)",
            "  guarantee: exactly once",
        ):
            self.assertIn(line + "\n", text)

    def test_json_can_be_read(self):
        plan = json.loads(self.plan("--format", "json", "--parallelism", 3))
        names = {stage["id"]: stage["name"] for stage in plan["stages"]}
        self.assertEqual(plan["parallelism"], 3)
        guarantees = {stage["name"]: stage["guarantee"] for stage in plan["stages"] if stage["kind"] == "sink"}
        self.assertEqual(guarantees, dict.fromkeys(("alerts", "late", "quarantine"), "exactly once"))
        self.assertEqual([names[edge["to"]] for edge in plan["edges"] if edge["exchange"]], ["rules"])

    def test_graphs_for_tools(self):
        self.assertRegex(self.plan("--format", "dot"), r"^digraph job \{\n")
        self.assertRegex(self.plan("--format", "mermaid"), r"^flowchart LR\n")


class Run(JobTest):
    def setUp(self):
        super().setUp()
        self.input.write_text(transactions(7, 20_000), encoding="utf-8")

    def test_finishes_and_the_second_run_writes_nothing(self):
        done = self.run_well("job")
        self.assertEqual(done.stdout, "")
        self.assertIn("a fresh start", done.stderr)
        self.assertIn("finished; all output is committed", done.stderr)
        self.assertGreater(len(alerts(self.out("job"))), 100)
        before = tree(self.folder / "job")
        again = self.run_well("job")
        self.assertRegex(again.stderr, r"had finished before \(checkpoint \d+\); nothing was written")
        self.assertEqual(tree(self.folder / "job"), before)

    def test_quiet_says_nothing_of_progress(self):
        self.assertNotRegex(self.run_well("job", "--quiet").stderr, r"(?m)^\d\d:\d\d in ")
        self.assertRegex(self.run_well("other").stderr, r"(?m)^\d\d:\d\d in ")

    def test_results_have_the_headers_of_the_sinks(self):
        self.run_well("job")
        for sink, header in (("alerts", "card,transaction,time,rule,amount,detail"), ("late", HEADER)):
            files = list((self.out("job") / sink).glob("*.csv"))
            self.assertTrue(files)
            for path in files:
                self.assertEqual(path.read_text(encoding="utf-8").splitlines()[0], header)

    def test_the_first_signal_stops_after_a_checkpoint_and_the_same_command_goes_on(self):
        self.run_well("unbroken", "--parallelism", 2)
        for number, exit_code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(number.name):
                name = number.name
                job = self.start(name, "--parallelism", 2, "--pace", 2000, "--checkpoint-every", "100ms")
                self.wait_for_checkpoint(name, 2)
                self.assertEqual(self.stop(job, number), exit_code)
                self.assertIn("stopping after a final checkpoint", self.log(name))
                self.assertIn("stopped; the same command goes on from here", self.log(name))
                self.assertNotEqual(results(self.out(name)), results(self.out("unbroken")))
                again = self.run_well(name, "--parallelism", 2)
                self.assertRegex(again.stderr, r"goes on from checkpoint \d+")
                self.assertIn("matched : ", again.stderr)
                self.assertEqual(results(self.out(name)), results(self.out("unbroken")))

    def test_the_second_signal_stops_at_once(self):
        job = self.start("job", "--pace", 2000, "--checkpoint-every", "100ms")
        self.wait_for_checkpoint("job")
        # Both are there when it looks, so that the checkpoint for which the first asks cannot end before the second.
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            job.send_signal(number)
        self.assertIn(job.wait(timeout=PATIENCE_S), (130, 143))
        self.assertIn("once more to stop at once", self.log("job"))
        self.assertIn("stopped at once; the same command goes on from the last checkpoint", self.log("job"))
        self.run_well("job")
        self.run_well("unbroken")
        self.assertEqual(results(self.out("job")), results(self.out("unbroken")))

    def test_a_run_at_the_speed_of_its_events_gives_the_same_results(self):
        self.run_well("unpaced")
        started = time.monotonic()
        self.run_well("paced", "--speed", "100000x")
        self.assertGreater(time.monotonic() - started, 0.05)
        self.assertEqual(results(self.out("paced")), results(self.out("unpaced")))

    def test_a_state_directory_has_one_owner(self):
        first = self.start("job", "--pace", 1000, "--checkpoint-every", "50ms")
        self.wait_for_checkpoint("job")
        self.assert_error(self.run_job("job"), "TM0302", 3, str(self.folder / "job" / "state"), "  fix  : ")
        self.assertIsNone(first.poll())
        self.assertEqual(self.stop(first), 130)

    def test_a_job_goes_on_at_any_other_parallelism(self):
        self.run_well("unbroken")
        for number, (parallelism, end) in enumerate(((2, signal.SIGINT), (3, signal.SIGKILL), (1, signal.SIGKILL), (7, signal.SIGINT)), 1):
            job = self.start("job", "--parallelism", parallelism, "--pace", 500, "--checkpoint-every", "50ms")
            self.wait_for_checkpoint("job", 2 * number)
            job.send_signal(end)
            job.wait(timeout=PATIENCE_S)
        self.run_well("job", "--parallelism", 2)
        self.assertEqual(results(self.out("job")), results(self.out("unbroken")))

    def test_a_job_goes_on_when_nobody_can_hear_it(self):
        self.run_well("heard")
        with open("/dev/full", "w", encoding="utf-8") as full:
            words = [FRAUD, "run", "--transactions", self.input, "--out", self.out("job"), "--state", self.folder / "job" / "state"]
            done = subprocess.run(words, stderr=full, check=False, timeout=PATIENCE_S)   # F11
        self.assertEqual(done.returncode, 0)
        self.assertEqual(results(self.out("job")), results(self.out("heard")))

    def test_a_job_goes_on_when_the_pipe_to_its_reader_is_closed(self):
        self.run_well("heard")
        reading, writing = os.pipe()
        os.close(reading)
        words = [FRAUD, "run", "--transactions", self.input, "--out", self.out("job"), "--state", self.folder / "job" / "state"]
        done = subprocess.run(words, stderr=writing, check=False, timeout=PATIENCE_S)
        os.close(writing)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(results(self.out("job")), results(self.out("heard")))

    def test_a_fresh_start_into_results_whose_marker_is_gone_is_refused(self):
        self.run_well("job")
        hidden = [path for path in self.out("job").rglob(".*") if path.is_file()]
        self.assertTrue(hidden)
        for path in hidden:
            path.unlink()
        before = tree(self.out("job"))
        for state, more in (("other", ()), ("job/state", ("--from", "none"))):
            words = ["--transactions", self.input, "--out", self.out("job"), "--state", self.folder / state, *more]
            self.assert_error(call(FRAUD, "run", *words), "TM0502", 3, "already holds output", "  fix  : ")
        self.assertEqual(tree(self.out("job")), before)

    def test_a_fresh_start_into_old_results_is_refused(self):
        self.run_well("job")
        before = tree(self.out("job"))
        done = call(FRAUD, "run", "--transactions", self.input, "--out", self.out("job"), "--state", self.folder / "other")
        self.assert_error(done, "TM0502", 3, str(self.out("job")), "  fix  : ")
        self.assertEqual(tree(self.out("job")), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
