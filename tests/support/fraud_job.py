"""Runs the real programs for tests: starts fraud_detection and tidemark, reads what they wrote, makes transactions."""

import csv
import hashlib
import math
import os
import random
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

PROGRAMS = Path(os.environ["TIDEMARK_PROGRAMS"])
FRAUD = str(PROGRAMS / "fraud_detection")
TOOL = str(PROGRAMS / "tidemark")
# A sanitizer makes everything slow; what is repeated for its shape only is then done less often.
QUICK = os.environ.get("TIDEMARK_QUICK") == "1"
PATIENCE_S = 60

HEADER = "cc_num,trans_num,unix_time,amt,merch_lat,merch_long"


def call(*arguments):
    words = [str(each) for each in arguments]
    return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=False)


def rows(folder):
    """What is committed in one folder of results, without the header lines, in the order in which it was committed."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            found += list(csv.reader(file))[1:]
    return found


def results(out):
    """All that a run committed, as sorted rows of each sink."""
    return {sink: sorted(rows(out / sink)) for sink in ("alerts", "late", "quarantine")}


def alerts(out):
    """Card, transaction and rule of each alert, sorted."""
    return sorted(f"{row[0]},{row[1]},{row[3]}" for row in rows(out / "alerts"))


def tree(folder):
    """Everything below a folder; of files also the time of change, mode and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        stat = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        found[str(path)] = (stat.st_mtime_ns, stat.st_mode, content) if content else None
    return found


def transactions(seed, count, disorder_s=40):
    """Few cards, many equal times, far places and wild amounts: each rule speaks often. Some rows are later than 30 s."""
    dice = random.Random(seed)
    places = [(48.1, 11.5), (-33.9, 151.2), (40.7, -74.0)]
    made = []
    for number in range(count):
        at = 1_371_816_865 + dice.randrange(count // 2 + 1)
        latitude, longitude = places[min(2, dice.randrange(12))]
        amount = round(math.exp(dice.gauss(4, 2.2)), 2)
        row = f"{dice.randrange(12)},t{dice.randrange(10 ** 6):06}-{number},{at},{amount},{latitude},{longitude}"
        made.append((at + dice.randrange(disorder_s + 1), row))
    made.sort(key=lambda row: row[0])
    return "\n".join([HEADER] + [row for _, row in made]) + "\n"


class JobTest(unittest.TestCase):
    """A test with a folder of its own, in which `self.input` is the input of the job."""

    maxDiff = 2000

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="tidemark-test-")
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.input = self.folder / "transactions.csv"

    def command(self, name, *more):
        """The command line of the job whose results and state are in the folder `name`."""
        folder = self.folder / name
        words = [FRAUD, "run", "--transactions", self.input, "--out", folder / "out", "--state", folder / "state", *more]
        return [str(each) for each in words]

    def out(self, name):
        return self.folder / name / "out"

    def run_job(self, name, *more):
        return call(*self.command(name, *more))

    def run_well(self, name, *more):
        done = self.run_job(name, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def start(self, name, *more):
        """Starts the job; what it says goes to a log."""
        log = open(self.folder / f"{name}.log", "a+", encoding="utf-8")
        self.addCleanup(log.close)
        job = subprocess.Popen(self.command(name, *more), stderr=log)
        self.addCleanup(self.end, job)
        return job

    @staticmethod
    def end(job):
        if job.poll() is None:
            job.kill()
        job.wait()

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def wait_until(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited in vain for {what}")
            time.sleep(0.005)

    def wait_for_checkpoint(self, name, least=1):
        checkpoints = self.folder / name / "state" / "checkpoints"
        self.wait_until(f"checkpoint {least}", lambda: any(path.parent.name >= f"{least:010}" for path in checkpoints.glob("*/manifest")))

    def stop(self, job, number=signal.SIGINT):
        job.send_signal(number)
        return job.wait(timeout=PATIENCE_S)

    def assert_error(self, done, code, exit_code, *words):
        """A failure is told in the form of all errors, and with all of the words."""
        self.assertEqual(done.returncode, exit_code, done.stderr)
        self.assertRegex(done.stderr, rf"(?m)^error\[{code}\]: \S")
        self.assertRegex(done.stderr, rf"(?m)^  help : tidemark explain {code}$")
        for word in words:
            self.assertIn(word, done.stderr)

    def assert_no_crash(self, done):
        self.assertGreaterEqual(done.returncode, 0, f"ended by signal {-done.returncode}: {done.stderr}")
        self.assertNotIn("Sanitizer", done.stderr)
        self.assertIsNone(re.search("terminate called|TM0602", done.stderr), done.stderr)
