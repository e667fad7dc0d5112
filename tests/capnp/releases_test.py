"""Releases of a job whose state is a Cap'n Proto message, one after the other on one state directory, each killed (K9)."""

import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

PROGRAMS = Path(os.environ["TIDEMARK_PROGRAMS"])
PATIENCE_S = 60


class Releases(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="tidemark-test-")
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.out = self.folder / "out"

    def command(self, release, pause_ms):
        return [str(PROGRAMS / f"capnp_release_{release}"), str(self.folder / "state"), str(self.out), str(pause_ms)]

    def run_to_the_end(self, release):
        return subprocess.run(self.command(release, 0), capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def kill_when(self, release, condition):
        """Starts a release, which would take some seconds, and kills it when the condition holds."""
        job = subprocess.Popen(self.command(release, 5))
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not condition(self.committed()):
                self.assertIsNone(job.poll(), "it has ended")
                self.assertLess(time.monotonic(), deadline, "waited in vain")
                time.sleep(0.002)
        finally:
            job.kill()
            job.wait()

    def committed(self):
        """Of each sensor its lines, as lists of fields."""
        found = {}
        for path in sorted(self.out.glob("lines-*.txt")):
            for line in path.read_text(encoding="utf-8").splitlines():
                sensor, *fields = line.split(",")
                found.setdefault(sensor, []).append(fields)
        return found

    def test_go_on_from_the_state_of_a_release_with_fewer_fields_and_refuse_that_of_one_with_more(self):
        self.kill_when(1, lambda lines: len(lines) == 100)
        self.kill_when(2, lambda lines: any(len(fields) == 2 for all in lines.values() for fields in all))

        before = {path.name: path.read_bytes() for path in self.out.iterdir()}
        refused = self.run_to_the_end(1)   # what release 2 has added, release 1 has removed
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"^error\[TM0203\]: state last/state has another schema\n")
        schemas = [line for line in refused.stderr.splitlines() if line.startswith(("  checkpoint : ", "  job        : "))]
        self.assertEqual(len(schemas), 2, refused.stderr)
        self.assertIn(";7:f32@", schemas[0])   # the field humidity, which only the checkpoint knows
        self.assertNotIn(";7:", schemas[1])
        self.assertEqual({path.name: path.read_bytes() for path in self.out.iterdir()}, before)

        done = self.run_to_the_end(2)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = self.committed()
        self.assertEqual(len(lines), 100)
        for sensor, counts in lines.items():
            self.assertEqual([int(fields[0]) for fields in counts], list(range(1, 201)), sensor)
            by_release_1 = sum(len(fields) == 1 for fields in counts)
            self.assertGreater(by_release_1, 0)
            # From the default of the field that was added, through a kill of release 2.
            self.assertEqual([float(fields[1]) for fields in counts[by_release_1:]], [i + 1.5 for i in range(200 - by_release_1)], sensor)


if __name__ == "__main__":
    unittest.main(verbosity=2)
