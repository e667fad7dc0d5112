"""Ten kinds of garbage as input of the fraud job: a clear error or the quarantine, never a crash, and no good row is lost."""

import os
import random
import unittest

from fraud_job import HEADER, JobTest, alerts, results, rows, transactions, tree

GOOD_ROWS = 12   # one card, a second apart: the sixth and all after it are alerts


def good_row(number):
    return f"7,t{number:03},{1371816865 + number},10.5,48.1,11.5\n".encode()


def good(begin, end):
    return b"".join(good_row(number) for number in range(begin, end))


class Garbage(JobTest):
    def write(self, *parts):
        self.input.write_bytes(b"".join(parts))

    def quarantine(self, name="job"):
        """Position, reason and payload of each row set aside."""
        return [(int(row[3]), row[1], row[7]) for row in rows(self.out(name) / "quarantine")]

    def assert_good_rows_arrived(self, count=GOOD_ROWS):
        self.assertEqual(alerts(self.out("job")), [f"7,t{number:03},high_velocity" for number in range(5, count)])
        self.assertEqual(rows(self.out("job") / "late"), [])

    def assert_refused(self, code, *words):
        done = self.run_job("job")
        self.assert_no_crash(done)
        self.assert_error(done, code, 1, *words)
        self.assertEqual(results(self.out("job")), {"alerts": [], "late": [], "quarantine": []})

    def set_aside(self, *bad):
        """Good rows around bad ones: all good ones arrive, and each bad one is set aside with its place and its bytes."""
        self.write(HEADER.encode(), b"\n", good(0, 6), *bad, good(6, GOOD_ROWS))
        done = self.run_job("job")
        self.assert_no_crash(done)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_good_rows_arrived()
        set_aside = sorted(self.quarantine())
        places, at = [], len(HEADER) + 1 + len(good(0, 6))
        for row in bad:
            places.append(at)
            at += len(row)
        self.assertEqual([position for position, _, _ in set_aside], places)
        return set_aside

    # 1
    def test_binary(self):
        self.write(random.Random(1).randbytes(300_000))
        self.assert_refused("TM0401", "transactions.csv", "does not begin with a CSV header", "not UTF-8", "  fix  : ")

    def test_binary_behind_a_header(self):
        # No quote and no line end: RFC 4180 would make records of several lines of them.
        noise = bytes(each for each in random.Random(2).randbytes(300_000) if each not in b'"\r')
        self.write(HEADER.encode(), b"\n", good(0, GOOD_ROWS), noise, b"\n")
        self.run_well("job")
        self.assert_good_rows_arrived()
        # Each line is a row, and none of them is a transaction; empty ones are no rows.
        self.assertEqual(len(self.quarantine()), sum(1 for line in noise.split(b"\n") if line))

    # 2
    def test_cut_off_in_a_quoted_field(self):
        bad = b'7,"t0'
        self.write(HEADER.encode(), b"\n", good(0, GOOD_ROWS), bad)
        self.run_well("job")
        self.assert_good_rows_arrived()
        self.assertEqual(self.quarantine(), [(len(HEADER) + 1 + len(good(0, GOOD_ROWS)), "decode", '7,"t0')])

    def test_a_quote_that_never_ends_takes_no_other_row_with_it(self):
        self.assertEqual(len(self.set_aside(b'7,"t999,1371816871,1,1,1\n')), 1)

    # 3
    def test_a_line_of_100_megabytes(self):
        bad = b"7,t999," + b"9" * 100_000_000 + b",1,1,1\n"
        ((_, reason, payload),) = self.set_aside(bad)
        self.assertEqual(reason, "too_large")
        self.assertTrue(payload.startswith("7,t999,999"))

    # 4
    def test_a_wrong_header(self):
        self.write(b"card,id,time\n1,2,3\n")
        self.assert_refused("TM0401", "cc_num", "columns in the file", "card, id, time", "  fix  : ")

    # 5
    def test_empty(self):
        self.write(b"")
        self.assert_refused("TM0401", "is empty", "  fix  : ")

    # 6
    def test_a_header_alone(self):
        for header in (HEADER + "\n", HEADER, HEADER + "\r\n", "\ufeff" + HEADER + "\n"):
            with self.subTest(header):
                self.write(header.encode())
                name = f"job-{len(header)}-{ord(header[0])}"
                self.assertIn("finished", self.run_well(name).stderr)
                self.assertEqual(results(self.out(name)), {"alerts": [], "late": [], "quarantine": []})

    # 7
    def test_what_may_not_be_read(self):
        self.input.mkdir()
        self.assert_refused("TM0401", "transactions.csv", "  fix  : ")
        self.input.rmdir()
        self.input.symlink_to(self.folder / "elsewhere.csv")
        self.assert_refused("TM0401", "symbolic link", "  fix  : ")
        self.input.unlink()
        os.mkfifo(self.input)
        self.assert_refused("TM0401", "not a regular file", "  fix  : ")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_without_permission(self):
        self.write(HEADER.encode(), b"\n", good(0, GOOD_ROWS))
        self.input.chmod(0)
        self.assert_refused("TM0301", "transactions.csv", "ermission")
        self.input.chmod(0o600)
        self.run_well("job")
        self.assert_good_rows_arrived()

    # 8
    def test_bytes_that_are_no_text_and_numbers_that_are_none(self):
        bad = [
            b"7,\xff\xfe,1371816871,1,1,1\n",
            b"\xc3\x28,t999,1371816871,1,1,1\n",
            b"7,t\x00999,1371816871,1,1,1\n",
            b"7,t999,1371816871,nan,1,1\n",
            b"7,t999,1371816871,1e400,1,1\n",
            b"7,t999,9223372036854775807,1,1,1\n",
            b"99999999999999999999,t999,1371816871,1,1,1\n",
            b"7,t999,1371816871,1,1\n",
            b"7,t999,1371816871,1,1,1,1\n",
            b'7,"t"999,1371816871,1,1,1\n',
        ]
        set_aside = self.set_aside(*bad)
        self.assertEqual(set_aside[0][2], r"7,\xff\xfe,1371816871,1,1,1")

    # 9, 10
    def change_between_two_runs(self, change, *words):
        original = transactions(21, 20_000).encode()
        self.input.write_bytes(original)
        self.run_well("unbroken")
        job = self.start("job", "--pace", 4000, "--checkpoint-every", "50ms")
        self.wait_for_checkpoint("job", 3)
        job.kill()
        job.wait()
        self.input.write_bytes(change(original))
        before = tree(self.out("job"))
        done = self.run_job("job")
        self.assert_no_crash(done)
        self.assert_error(done, "TM0402", 1, "transactions.csv", "  why  : ", "  fix  : ", *words)
        after = tree(self.out("job"))
        # What the last checkpoint had prepared may be committed before the input is looked at; nothing else changes.
        self.assertEqual({path: content for path, content in after.items() if path in before and not path.split("/")[-1].startswith(".")},
                         {path: content for path, content in before.items() if not path.split("/")[-1].startswith(".")})
        # Nothing is lost: with the input as it was the job goes on to the same results.
        self.input.write_bytes(original)
        self.run_well("job")
        self.assertEqual(results(self.out("job")), results(self.out("unbroken")))

    def test_changed_between_two_runs(self):
        line = len(HEADER) + 1
        self.change_between_two_runs(lambda content: content[:line] + b"9" + content[line + 1:])

    def test_shrunk_between_two_runs(self):
        self.change_between_two_runs(lambda content: content[:len(HEADER) + 40])

    def test_gone_between_two_runs(self):
        self.input.write_text(transactions(21, 10_000), encoding="utf-8")
        job = self.start("job", "--pace", 4000, "--checkpoint-every", "50ms")
        self.wait_for_checkpoint("job", 2)
        job.kill()
        job.wait()
        self.input.rename(self.folder / "away.csv")
        done = self.run_job("job")
        self.assert_no_crash(done)
        self.assertRegex(done.stderr, r"^error\[TM040[12]\]|\nerror\[TM040[12]\]")
        (self.folder / "away.csv").rename(self.input)
        self.run_well("job")

    def test_missing(self):
        self.assert_refused("TM0401", "no file to read", "  fix  : ")
        self.write(HEADER.encode(), b"\n", good(0, GOOD_ROWS))
        self.run_well("job")
        self.assert_good_rows_arrived()


if __name__ == "__main__":
    unittest.main(verbosity=2)
