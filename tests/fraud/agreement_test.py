"""The fraud job agrees with the naive model, alert by alert, whatever the parallelism and the size of its batches."""

import csv
import itertools
import os
import subprocess
import sys
import unittest
from pathlib import Path

from fraud_job import PATIENCE_S, PROGRAMS, QUICK, JobTest, alerts, rows, transactions

HERE = Path(__file__).resolve().parent
SKIPPED = 77

PARALLELISMS = (1, 3) if QUICK else (1, 2, 3)
BATCHES = (7, 1000) if QUICK else (1, 7, 1000, 4096)


def output_of(*command):
    return subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout


class AgreementTest(JobTest):
    """Compares on `self.input`."""

    def compare(self, rule_sets):
        """`rule_sets`: the rules of each set that the input must set off. Returns the ids of the late transactions."""
        with open(self.input, newline="", encoding="utf-8") as file:
            id_column = next(csv.reader(file)).index("trans_num")
        expected_late = output_of(sys.executable, "-B", HERE / "model.py", self.input, "--late").splitlines()
        for rules, expected_rules in rule_sets.items():
            expected = output_of(sys.executable, "-B", HERE / "model.py", self.input, "--rules", rules).splitlines()
            for rule in expected_rules:
                self.assertTrue(any(line.endswith("," + rule) for line in expected), f"the input never sets off {rule}")
            for parallelism, batch in itertools.product(PARALLELISMS, BATCHES):
                with self.subTest(rules=rules, parallelism=parallelism, batch=batch):
                    name = f"{rules}-{parallelism}-{batch}"
                    self.run_well(name, "--rules", rules, "--parallelism", parallelism, "--batch", batch, "--quiet")
                    self.assertEqual(alerts(self.out(name)), expected)
                    self.assertEqual(sorted(row[id_column] for row in rows(self.out(name) / "late")), expected_late)
        return expected_late


V1 = ("high_velocity", "impossible_travel", "amount_anomaly")
V2 = ("high_velocity", "large_amount")


class GeneratedData(AgreementTest):
    def test_on_what_the_demo_shows(self):
        self.input.write_text(output_of(PROGRAMS / ".." / "tests" / "fraud_transactions", 5, 20_000), encoding="utf-8")
        self.assertTrue(self.compare({"v1": V1, "v2": V2}))

    def test_on_few_cards_with_equal_times(self):
        self.input.write_text(transactions(11, 3000), encoding="utf-8")
        self.assertTrue(self.compare({"v1": V1, "v2": V2}))


class RealData(AgreementTest):
    def test_on_real_data(self):
        folder = Path(os.environ.get("TIDEMARK_DATA_DIR") or HERE.parents[2] / "shared" / "data")
        self.input = folder / "card_transactions.csv"
        if not self.input.exists():
            self.skipTest(f"there is no {self.input}; set TIDEMARK_DATA_DIR")
        self.compare({"v1": ("amount_anomaly",), "v2": ()})


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    sys.exit(1 if not result.wasSuccessful() else SKIPPED if result.skipped else 0)
