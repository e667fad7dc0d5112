"""Talking to a running job, and moving it: `savepoint`, `stop`, `status`, `--from`, `--fork-lineage`, by real processes."""

import json
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from fraud_job import FRAUD, PATIENCE_S, TOOL, JobTest, call, results, transactions


class RunningJobTest(JobTest):
    pace = 2_000   # records a second: the job runs for ten seconds, and ends by itself

    def setUp(self):
        super().setUp()
        self.input.write_text(transactions(11, 20_000), encoding="utf-8")
        self.state = self.folder / "job" / "state"

    def start_and_wait(self, name="job", *more):
        job = self.start(name, "--pace", self.pace, "--checkpoint-every", "100ms", "-q", *more)
        self.wait_for_checkpoint(name)
        return job

    def ask(self, *words, state=None):
        return call(TOOL, *words, "--state", state or self.state)

    def asked_well(self, *words):
        done = self.ask(*words, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE_S)
        client.connect(str(self.state / "SOCKET"))
        return client

    def said(self, client, request):
        """The answer to a request, as its fields."""
        client.sendall(request)
        return self.answer(client)

    def answer(self, client):
        line = b""
        while not line.endswith(b"\n"):
            line += client.recv(65536)
            self.assertTrue(line)
        return json.loads(line)

    def expected(self):
        self.run_well("reference", "-q")
        return results(self.out("reference"))


class AStop(RunningJobTest):
    def test_keeps_the_last_checkpoint_and_the_same_command_goes_on(self):
        job = self.start_and_wait()
        stopped = self.asked_well("stop", "--label", "end")
        # The directory is free when `stop` returns.
        again = self.run_job("job", "-q", "--from", "savepoint:end")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(job.wait(timeout=PATIENCE_S), 0)
        self.assertIn(f"goes on from checkpoint {stopped['checkpoint']}", again.stderr)
        self.assertEqual(stopped["path"], str(self.state / "savepoints" / "end"))
        self.assertEqual(results(self.out("job")), self.expected())

    def test_ends_only_when_the_job_has_let_go_of_the_directory(self):
        self.state.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as job:   # this test plays the job
            job.bind(str(self.state / "SOCKET"))
            job.listen()
            stop = subprocess.Popen([TOOL, "stop", "--state", str(self.state)], stdout=subprocess.DEVNULL)
            self.addCleanup(self.end, stop)
            connection, _ = job.accept()
            with connection:
                self.assertEqual(connection.recv(1000), b'["stop",false,""]\n')
                connection.sendall(b'[0,"",7,""]\n')
                with self.assertRaises(subprocess.TimeoutExpired):
                    stop.wait(timeout=0.5)
        self.assertEqual(stop.wait(timeout=PATIENCE_S), 0)

    def test_that_drains_is_for_the_record(self):
        job = self.start_and_wait()
        done = self.ask("stop", "--drain", "--label", "drained")
        self.assertEqual((done.returncode, job.wait(timeout=PATIENCE_S)), (0, 0), done.stderr)
        self.assertIn("--allow-drained", done.stderr)
        self.assertNotIn("the same command", self.log("job"))
        self.assertIn("needs --allow-drained", self.log("job"))
        self.assert_error(self.run_job("job"), "TM0205", 3, "--allow-drained")
        self.run_well("job", "-q", "--allow-drained")
        self.assertEqual(results(self.out("job"))["late"], self.expected()["late"])

    def test_may_be_asked_for_by_two_at_once(self):
        job = self.start_and_wait()
        first, second = self.connect(), self.connect()
        job.send_signal(signal.SIGSTOP)   # so that both are there when it looks
        first.sendall(b'["stop",false,"one"]\n')
        second.sendall(b'["stop",false,"two"]\n')
        job.send_signal(signal.SIGCONT)
        self.assertEqual(self.answer(second)[0], 0)
        self.assertEqual(job.wait(timeout=PATIENCE_S), 0)
        self.assertEqual(sorted(path.name for path in (self.state / "savepoints").iterdir()), ["one", "two"])

    def test_with_a_bad_label_is_refused_and_the_job_goes_on(self):
        job = self.start_and_wait()
        for label in ("", "..", "a/b", "x" * 65):
            self.assert_error(self.ask("stop", "--label", label), "TM0103" if label else "TM0101", 2)
            self.assert_error(self.ask("savepoint", "--label", label), "TM0103", 2)
        self.asked_well("savepoint", "--label", "taken")
        self.assert_error(self.ask("stop", "--label", "taken"), "TM0103", 2, "already")
        self.assertIsNone(job.poll())
        self.assertNotIn("stopping", self.log("job"))

    def test_that_cannot_be_kept_says_where_the_last_checkpoint_is(self):
        job = self.start_and_wait()
        (self.state / "savepoints").write_text("in the way", encoding="utf-8")
        done = self.ask("stop", "--drain", "--label", "end")
        self.assertIn("has ended after checkpoint", done.stderr)
        self.assertIn(f"copy {self.state / 'checkpoints'}", done.stderr)
        self.assertEqual((done.returncode, job.wait(timeout=PATIENCE_S)), (1, 0), done.stderr)
        for words in ("stopping after a final checkpoint, as `stop` asked", "needs --allow-drained"):
            self.assertIn(words, self.log("job"))


class ASavepoint(RunningJobTest):
    def test_is_taken_while_the_job_goes_on_and_forked_beside_it(self):
        job = self.start_and_wait()
        taken = self.asked_well("savepoint", "--label", "middle")
        self.assertEqual(taken["savepoint"], "middle")
        fork = self.run_well("fork", "-q", "--from", taken["path"], "--fork-lineage", "--parallelism", 2)
        self.assertIn(f"forks checkpoint {taken['checkpoint']}", fork.stderr)
        self.assertEqual(job.wait(timeout=PATIENCE_S), 0)
        expected = self.expected()
        self.assertEqual(results(self.out("job")), expected)
        for sink, forked in results(self.out("fork")).items():
            self.assertLessEqual(set(map(tuple, forked)), set(map(tuple, expected[sink])))
        self.assertGreater(len(results(self.out("fork"))["alerts"]), 0)
        listed = call(TOOL, "checkpoints", "ls", "--json", "--state", self.state).stdout.splitlines()
        self.assertEqual([each["checkpoint"] for each in map(json.loads, listed) if each.get("savepoint") == "middle"],
                         [taken["checkpoint"]])

    def test_goes_on_from_a_copy_in_another_place(self):
        self.start_and_wait()
        self.asked_well("stop", "--label", "moved")
        shutil.copytree(self.state / "savepoints" / "moved", self.folder / "elsewhere")
        shutil.rmtree(self.state)
        self.run_well("job", "-q", "--from", self.folder / "elsewhere")
        self.assertEqual(results(self.out("job")), self.expected())

    def test_is_looked_into_like_any_checkpoint_also_as_a_copy(self):
        self.start_and_wait()
        stopped = self.asked_well("stop", "--label", "end")
        copy = shutil.copytree(self.state / "savepoints" / "end", self.folder / "copy")
        for words in (["checkpoints", "show"], ["checkpoints", "verify"], ["state", "export", "rules", "state", "--checkpoint"]):
            shown = {call(TOOL, *words, which, "--json", "--state", self.state).stdout
                     for which in ("latest", stopped["checkpoint"], "savepoint:end", copy)}
            self.assertEqual(len(shown), 1)
            self.assertNotEqual(shown, {""})
        # Nothing else of the job need be there.
        for words in (["checkpoints", "show"], ["state", "ls"], ["state", "scan", "rules", "state"]):
            by_path = [*words, "--checkpoint", copy] if words[0] == "state" else [*words, copy]
            shown = {call(TOOL, *each, "--json").stdout for each in (by_path, [*words, "--state", copy])}
            self.assertEqual(len(shown), 1)
            self.assertNotEqual(shown, {""})
        for words in (["ls"], ["gc"], ["gc", "--dry-run"]):
            self.assert_error(call(TOOL, "checkpoints", *words, "--state", copy), "TM0201", 3, "checkpoints show")
        self.assertEqual(sorted(path.name for path in copy.iterdir()), ["manifest", "store"])
        self.assert_error(call(TOOL, "checkpoints", "diff", copy, "latest"), "TM0101", 2, "--state is required")
        (row_file, *_) = sorted((copy / "store").glob("*.sst"))
        content = bytearray(row_file.read_bytes())
        content[len(content) // 2] ^= 1
        row_file.write_bytes(content)
        self.assert_error(call(TOOL, "checkpoints", "verify", copy, "--state", self.state), "TM0202", 1, row_file.name)
        self.assert_error(self.ask("checkpoints", "verify", "savepoint:en"), "TM0201", 3, "did you mean end?")

    def test_is_not_forked_into_the_outputs_of_the_original(self):
        self.start_and_wait()
        self.asked_well("stop", "--label", "end")
        before = results(self.out("job"))
        done = call(FRAUD, "run", "--transactions", self.input, "--out", self.out("job"), "--state", self.folder / "fork",
                    "--from", self.state / "savepoints" / "end", "--fork-lineage")
        self.assert_error(done, "TM0502", 3, "lineage", "empty output directory")
        self.assertEqual(results(self.out("job")), before)

    def test_that_is_not_there_is_refused_with_those_that_are(self):
        self.start_and_wait()
        self.asked_well("stop", "--label", "before-upgrade")
        self.assert_error(self.run_job("job", "--from", "savepoint:before-upgrad"), "TM0201", 3, "did you mean before-upgrade?")
        self.assert_error(self.run_job("job", "--from", self.folder), "TM0201", 3, "manifest")
        self.assert_error(self.run_job("job", "--from", "middle"), "TM0101", 2, "savepoint:LABEL", "./middle")


class TheSocket(RunningJobTest):
    def test_is_its_owners_alone_and_goes_with_the_job(self):
        job = self.start_and_wait()
        mode = (self.state / "SOCKET").stat().st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(self.asked_well("status")["state"], "running")
        # What branches off before event time holds nothing back.
        self.wait_until("a watermark", lambda: self.asked_well("status")["watermark"] != "-inf")
        self.assertEqual(self.stop(job), 130)
        self.assertFalse((self.state / "SOCKET").exists())
        for words in (["status"], ["stop"], ["savepoint", "--label", "x"]):
            self.assert_error(self.ask(*words), "TM0604", 1, "SOCKET")

    def test_of_a_killed_job_is_no_obstacle(self):
        job = self.start_and_wait()
        job.kill()
        job.wait()
        self.assertTrue((self.state / "SOCKET").exists())
        self.assert_error(self.ask("status"), "TM0604", 1)
        self.assertEqual(call(TOOL, "checkpoints", "ls", "--state", self.state).returncode, 0)
        self.start_and_wait()
        self.wait_until("an answer", lambda: self.ask("status").returncode == 0)
        self.asked_well("stop")
        self.run_well("job", "-q")
        self.assertEqual(results(self.out("job")), self.expected())

    def test_is_reached_however_long_the_path_is(self):
        long = "a" * 200
        self.state = self.folder / long / "state"
        self.start_and_wait(long)
        self.assertTrue((self.state / "SOCKET").exists())
        self.asked_well("stop")

    def test_does_not_wait_for_a_client_that_hangs(self):
        self.pace = 500
        job = self.start_and_wait()
        silent, half = self.connect(), self.connect()
        half.sendall(b'["stop",')
        gone = self.connect()
        gone.sendall(b'["savepoint",false,"gone"]\n')
        gone.close()
        self.asked_well("savepoint", "--label", "mine")
        self.assertIn("no value of this schema", self.said(self.connect(), b"{}\n")[1])
        self.assertIn("at most 1024 bytes", self.said(self.connect(), b"x" * 1025)[1])
        self.assertIn("does not know", self.said(self.connect(), b'["rescale",false,""]\n')[1])
        self.assertEqual(silent.recv(1), b"")   # dropped after a while
        self.assertEqual(half.recv(1), b"")
        self.assertEqual(self.stop(job, signal.SIGTERM), 143)

    def test_waits_for_nobody_without_a_job(self):
        self.assert_error(self.ask("stop", state=self.folder / "nowhere"), "TM0604", 1, "nowhere")


if __name__ == "__main__":
    unittest.main(verbosity=2)
