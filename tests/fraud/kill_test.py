"""kill -9 at random moments: what is committed equals an unbroken run's.   kill_test.py PARALLELISM"""

import re
import sys
import unittest

from fraud_job import QUICK, TOOL, JobTest, call

KILLS = 4 if QUICK else 12


class Kill(JobTest):
    parallelism = 1

    def test_loses_and_doubles_nothing(self):
        done = call(TOOL, "demo", "recovery", "--kills", KILLS, "--seed", 100 + self.parallelism, "--parallelism", self.parallelism)
        self.assertEqual(done.stdout.splitlines()[-1:], [f"{KILLS} kills · lost 0 · duplicated 0 · late decisions changed 0"], done.stderr)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(re.findall(r"^kill -9 number \d+ after \d+ ms$", done.stderr, re.MULTILINE)), KILLS)


if __name__ == "__main__":
    Kill.parallelism = int(sys.argv.pop())
    unittest.main(verbosity=2)
