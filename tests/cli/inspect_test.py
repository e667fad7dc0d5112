"""Looking inside a state directory: what `state` and `checkpoints` show is what the job must hold, and nothing is changed by looking."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

from fraud_job import FRAUD, TOOL, JobTest, call, transactions, tree

PROJECT = Path(os.environ["TIDEMARK_PROJECT"])
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def time_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def position_of(text):
    """The byte up to which a file was read, of a file source's position."""
    position = bytes.fromhex(text)
    name_size = position[2]
    return int.from_bytes(position[3 + name_size:11 + name_size], "little")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.unlink()   # other checkpoints may have a link to it
    path.write_bytes(content)


class Transaction:
    def __init__(self, row):
        self.card, self.id = int(row[0]), row[1]
        self.time = EPOCH + timedelta(seconds=int(row[2]))
        self.amount, self.latitude, self.longitude = (float(each) for each in row[3:6])
        self.row = ",".join(row)

    def remembered(self):
        return [self.time, self.amount, self.latitude, self.longitude]


class InspectTest(JobTest):
    parallelism = 1

    def setUp(self):
        super().setUp()
        # Without disorder no transaction is late, so that what the job holds follows from where it stopped.
        self.input.write_text(transactions(5, 40_000, disorder_s=0), encoding="utf-8")
        self.state = self.folder / "job" / "state"

    def run_a_while(self):
        """Stops the job somewhere in the middle, when it holds an hour and more."""
        # On a slow machine the job may end before it is looked at: then once more, slower.
        for pace in (10_000, 3_000, 500):
            job = self.start("job", "--pace", pace, "--checkpoint-every", "150ms", "--parallelism", self.parallelism)
            self.wait_for_checkpoint("job", 4)
            self.wait_until("the middle of the input", self.has_read_enough)
            if self.stop(job) == 130:
                return
            shutil.rmtree(self.folder / "job")
        self.fail("the job always ended before it was stopped")

    def has_read_enough(self):
        enough = self.input.stat().st_size * 3 // 8
        listed = call(TOOL, "state", "ls", "--json", "--state", self.state).stdout.splitlines()
        return any(position_of(each["position"]) > enough for each in map(json.loads, listed) if "source" in each)

    def look(self, *words):
        """What a verb prints; the directory is unchanged after it."""
        before = tree(self.state)
        done = call(TOOL, *words, "--state", self.state)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        self.assertEqual(tree(self.state), before)
        return done.stdout

    def objects(self, *words):
        return [json.loads(line) for line in self.look(*words, "--json").splitlines()]

    def refused(self, *words):
        return call(TOOL, *words, "--state", self.state)


class WhatTheJobHolds(InspectTest):
    def expect_all_that_was_read(self):
        listed = self.objects("state", "ls")
        (offset,) = [position_of(each["position"]) for each in listed if "source" in each]
        (watermark,) = {each["watermark"] for each in listed if each.get("input", "").startswith("rules:")}
        watermark = time_of(watermark)
        text = self.input.read_bytes()[:offset].decode()
        self.assertTrue(text.endswith("\n"))
        read = [Transaction(row) for row in list(csv.reader(text.splitlines()))[1:]]
        self.assertGreater(len(read), 8_000)

        memory, timers = {}, []
        for each in sorted((each for each in read if each.time <= watermark), key=lambda each: (each.time, each.id)):
            history = [old for old in memory.get(each.card, []) if old[0] > each.time - HOUR]
            memory[each.card] = [*history, each.remembered()]
        for card, history in list(memory.items()):
            if history[-1][0] + HOUR > watermark:
                timers.append((card, history[-1][0] + HOUR))
            else:
                del memory[card]
        waiting = [[each.card, each.id, each.time, each.amount, each.latitude, each.longitude, each.row]
                   for each in read if each.time > watermark]
        self.assertGreater(len(waiting), 10)

        states = self.objects("state", "export", "rules", "state")
        shown = {each["key"]: [[time_of(old[0]), *old[1:]] for old in each["value"][0]] for each in states}
        self.assertEqual(shown, memory)
        shown = [(each["key"], time_of(each["time"])) for each in self.objects("state", "export", "rules", "timers")]
        self.assertEqual(sorted(shown), sorted(timers))
        records = self.objects("state", "export", "rules", "records")
        shown = [[*each["value"][:2], time_of(each["value"][2]), *each["value"][3:]] for each in records]
        self.assertEqual(sorted(shown), sorted(waiting))
        self.assertTrue(all(each["key"] == each["value"][0] and each["time"] == each["value"][2] for each in records))
        self.assertEqual({each["state"]: each["rows"] for each in listed if "rows" in each},
                         {"state": len(memory), "timers": len(timers), "records": len(waiting)})
        self.assertEqual({each["state"]: each["times"] for each in listed if "times" in each},
                         {"timers": len({time for _, time in timers}), "records": len({each[2] for each in waiting})})

    def test_is_shown_whole(self):
        self.run_a_while()
        self.expect_all_that_was_read()

    def test_is_shown_whole_at_parallelism_2(self):
        self.parallelism = 2
        self.input.write_text(transactions(6, 40_000, disorder_s=0), encoding="utf-8")
        self.run_a_while()
        self.expect_all_that_was_read()


class State(InspectTest):
    def setUp(self):
        super().setUp()
        self.run_a_while()

    def test_is_listed_as_a_table(self):
        lines = self.look("state", "ls").splitlines()
        self.assertRegex(lines[0], r"^checkpoint \d+ of job fraud_detection, created \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(lines[2].split(), ["OPERATOR", "STATE", "KIND", "ROWS", "BYTES", "TIMES", "FIRST", "LAST", "SCHEMA"])
        states = [line.split(maxsplit=8) for line in lines[3:6]]
        self.assertEqual([line[1:3] for line in states], [["state", "value"], ["timers", "timers"], ["records", "buffer"]])
        self.assertEqual(states[0][8], "i64 -> struct{list<struct{time<i64,1/1000000>,f64,f64,f64}>}")
        self.assertEqual(states[1][8], "i64")
        self.assertIn("transactions.csv", self.look("state", "ls"))

    def test_of_a_key_is_what_the_export_has_of_it(self):
        exported = {each["key"]: each for each in self.objects("state", "export", "rules", "state")}
        self.assertGreater(len(exported), 8)
        for card, row in exported.items():
            self.assertEqual(self.objects("state", "get", "rules", "state", card), [row])
        timers = self.objects("state", "export", "rules", "timers")
        for timer in timers:
            self.assertEqual(self.objects("state", "get", "rules", "timers", timer["key"]), [timer])
        card = timers[0]["key"]
        records = [each for each in self.objects("state", "export", "rules", "records") if each["key"] == card]
        self.assertEqual(self.objects("state", "get", "rules", "records", card), records)
        text = self.look("state", "get", "rules", "timers", card).splitlines()
        self.assertEqual([line.split() for line in text], [["TIME", "KEY", "TAG"], [timers[0]["time"], str(card), "0"]])

    def test_of_a_key_that_is_not_there_is_none(self):
        for key in (4711, -1):
            done = self.refused("state", "get", "rules", "state", key)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("holds nothing for this key", done.stderr)

    def test_of_what_is_not_there_is_refused_and_the_remedy_is_named(self):
        for words, told in (
            (["get", "rules", "state", "seven"], ["i64", "expected a whole number"]),
            (["get", "rule", "state", "7"], ['no operator with state "rule"', "did you mean rules?"]),
            (["scan", "rules", "timer"], ['no state of operator rules "timer"', "state, timers, records", "did you mean timers?"]),
            (["scan", "alerts", "state"], ["no state of operator alerts", "none"]),
            (["scan", "rules"], ["STATE is required"]),
            (["scan", "rules", "state", "--limit", "-1"], ["-1"]),
        ):
            with self.subTest(words):
                done = self.refused("state", *words)
                self.assertEqual(done.stdout, "")
                self.assert_error(done, "TM0101", 2, *told)
        self.assert_error(self.refused("state", "ls", "--checkpoint", "999"), "TM0201", 3, "no checkpoint 999", "usable")
        nowhere = self.folder / "nowhere"
        self.assert_error(call(TOOL, "state", "ls", "--state", nowhere), "TM0201", 3, "--state")
        self.assertFalse(nowhere.exists())

    def test_is_scanned_up_to_a_limit(self):
        exported = self.objects("state", "export", "rules", "records")
        for words, count in (([], 20), (["--limit", 3], 3), (["--limit", 0], 0), (["--limit", 10**9], len(exported))):
            self.assertEqual(self.objects("state", "scan", "rules", "records", *words), exported[:count])
        lines = self.look("state", "scan", "rules", "records", "--limit", 3).splitlines()
        self.assertEqual(lines[0].split(), ["TIME", "KEY", "NUMBER", "VALUE"])
        for line, row in zip(lines[1:], exported):
            at, key, number, value = line.split(maxsplit=3)
            self.assertEqual((at, int(key), int(number), json.loads(value)), (row["time"], row["key"], row["number"], row["value"]))
        self.assertEqual(len(lines), 4)

    def test_is_ranked_by_the_bytes_of_its_keys(self):
        # A state's number, a hash, the card; then the number of transactions, and 32 bytes for each.
        sizes = {}
        for row in self.objects("state", "export", "rules", "state"):
            history = row["value"][0]
            sizes[row["key"]] = 18 + (1 if len(history) < 128 else 2) + 32 * len(history)
        ranked = self.objects("state", "top-keys", "rules", "state")
        self.assertEqual({each["key"]: each["bytes"] for each in ranked}, sizes)
        self.assertEqual([each["bytes"] for each in ranked], sorted(sizes.values(), reverse=True))
        self.assertEqual(self.objects("state", "top-keys", "rules", "state", "--limit", 2), ranked[:2])
        lines = self.look("state", "top-keys", "rules", "state", "--limit", 2).splitlines()
        self.assertEqual([line.split() for line in lines],
                         [["BYTES", "ROWS", "KEY"]] + [[str(each["bytes"]), "1", str(each["key"])] for each in ranked[:2]])
        rows = {}
        for row in self.objects("state", "export", "rules", "records"):
            rows[row["key"]] = rows.get(row["key"], 0) + 1
        ranked = self.objects("state", "top-keys", "rules", "records", "--limit", 100)
        self.assertEqual({each["key"]: each["rows"] for each in ranked}, rows)

    def test_of_an_older_checkpoint_is_shown_by_its_number(self):
        older, newest = (each["checkpoint"] for each in self.objects("checkpoints", "ls"))
        by_number = [self.objects("state", "ls", "--checkpoint", number) for number in (older, newest)]
        self.assertEqual([each[0]["checkpoint"] for each in by_number], [older, newest])
        self.assertEqual(self.objects("state", "ls"), by_number[1])
        positions = [[position_of(each["position"]) for each in listed if "source" in each] for listed in by_number]
        self.assertLess(*positions)

    def test_is_shown_by_the_job_itself_too(self):
        for words in (["state", "ls"], ["state", "export", "rules", "state"], ["checkpoints", "verify"]):
            self.assertEqual(call(FRAUD, *words, "--state", self.state).stdout, self.look(*words))

    def test_that_is_damaged_is_told(self):
        checkpoint = sorted(self.state.glob("checkpoints/*"))[-1]
        for path in sorted(checkpoint.glob("store/*.sst")):
            flip(path)
        done = self.refused("state", "export", "rules", "state")
        self.assert_error(done, "TM0202", 3, ".sst")
        flip(checkpoint / "manifest")
        done = self.refused("state", "ls")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"checkpoint {int(checkpoint.name)} is damaged; this is checkpoint ", done.stderr)

    def test_that_cannot_be_written_out_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            words = [TOOL, "state", "export", "rules", "records", "--state", str(self.state)]
            done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        self.assert_error(done, "TM0301", 1, "standard output")


class ListWithoutAKey(JobTest):
    """Its items are in the manifest; everything else about it is as for states with rows."""

    def setUp(self):
        super().setUp()
        self.state = self.folder / "state"
        shutil.copytree(PROJECT / "tests/golden/v5/state", self.state)

    def look(self, *words):
        done = call(TOOL, "state", *words, "--state", self.state)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def test_is_listed_with_its_items_as_rows(self):
        (listed,) = [each for each in map(json.loads, self.look("ls", "--json").splitlines()) if each.get("operator") == "last"]
        self.assertEqual({name: listed[name] for name in ("state", "kind", "key", "value", "rows", "bytes")},
                         {"state": "items", "kind": "operator_list", "key": "", "value": "struct{string,i64,i64}", "rows": 3, "bytes": 69})
        (line,) = [line.split() for line in self.look("ls").splitlines() if line.startswith("last ")]
        self.assertEqual(line, ["last", "items", "operator_list", "3", "69", "-", "-", "-", "struct{string,i64,i64}"])

    def test_is_shown_item_by_item(self):
        items = [{"subtask": 0, "index": index, "value": value}
                 for index, value in enumerate([["user-3", 757, 1145], ["user-5", 253, 1137], ["user-2", 856, 1138]])]
        self.assertEqual([json.loads(line) for line in self.look("export", "last", "items").splitlines()], items)
        self.assertEqual([json.loads(line) for line in self.look("scan", "last", "items", "--limit", 2, "--json").splitlines()], items[:2])
        lines = [line.split() for line in self.look("scan", "last", "items", "--limit", 1).splitlines()]
        self.assertEqual(lines, [["SUBTASK", "INDEX", "VALUE"], ["0", "0", '["user-3",757,1145]']])

    def test_has_no_keys(self):
        for words in (["get", "last", "items", "user-3"], ["top-keys", "last", "items"]):
            done = call(TOOL, "state", *words, "--state", self.state)
            self.assert_error(done, "TM0101", 2, "last/items has no keys", "state scan")


class Checkpoints(InspectTest):
    def setUp(self):
        super().setUp()
        self.run_a_while()
        self.newest = sorted(self.state.glob("checkpoints/*"))[-1]

    def test_are_verified_file_by_file(self):
        files = {each.name: each.stat().st_size for each in self.newest.glob("store/*")}
        verified = self.objects("checkpoints", "verify")
        self.assertEqual({each["file"]: each["bytes"] for each in verified}, files)
        self.assertTrue(all(each["ok"] for each in verified))
        lines = self.look("checkpoints", "verify", int(self.newest.name)).splitlines()
        self.assertEqual(len([line for line in lines if line.endswith("  ok")]), len(files))
        self.assertIn(f"{len(files)} of {len(files)} files, {sum(files.values())} bytes in all, are as they were written", lines[-1])

    def test_with_a_wrong_byte_fail_to_verify_and_the_file_is_named(self):
        paths = [self.newest / "manifest", *sorted(self.newest.glob("store/*"))]
        for path in paths:
            kept = path.with_name("kept")
            shutil.copy2(path, kept)
            flip(path)
            done = self.refused("checkpoints", "verify")
            self.assert_error(done, "TM0202", 1, str(path))
            if path.name != "manifest":
                self.assertEqual([line.split()[0] for line in done.stdout.splitlines() if line.endswith("damaged")], [path.name])
                path.unlink()
                self.assert_error(self.refused("checkpoints", "verify", "--json"), "TM0202", 1, str(path), "missing")
            kept.replace(path)
        self.look("checkpoints", "verify")

    def test_are_compared(self):
        older, newest = sorted(self.state.glob("checkpoints/*"))
        changes = self.objects("checkpoints", "diff", int(older.name), int(newest.name))
        self.assertEqual({(each["what"], each["change"]) for each in changes if each["what"] != "files"},
                         {("split", "changed"), ("watermark", "changed")})
        (split,) = (each for each in changes if each["what"] == "split")
        self.assertEqual(split["name"], "transactions/transactions.csv")
        self.assertLess(position_of(split["from"]), position_of(split["to"]))
        content = [{each.read_bytes() for each in folder.glob("store/*")} for folder in (older, newest)]
        before, after = content
        for change, files in (("added", after - before), ("shared", before & after), ("removed", before - after)):
            (counted,) = (each for each in changes if each["what"] == "files" and each["change"] == change)
            self.assertEqual((counted["files"], counted["bytes"]), (len(files), sum(map(len, files))), change)
        same = self.objects("checkpoints", "diff", int(newest.name), int(newest.name))
        self.assertEqual({each["what"] for each in same}, {"files"})
        text = self.look("checkpoints", "diff", int(older.name), int(newest.name))
        self.assertRegex(text, r"(?m)^split +transactions/transactions\.csv +changed +[0-9a-f]+  [0-9a-f]+$")
        self.assertRegex(text, r"(?m)^FILES +COUNT +BYTES$")
        self.assert_error(self.refused("checkpoints", "diff", 999, int(newest.name)), "TM0201", 3, "no checkpoint 999")

    def test_that_a_running_job_would_have_removed_are_removed(self):
        ids = [int(each.name) for each in sorted(self.state.glob("checkpoints/*"))]
        # As a crash may leave them: an old one, one that was never completed, a number that was given last, and an old attempt's store.
        for number in (ids[0] - 2, ids[0] - 1, ids[-1] + 1):
            (self.state / "checkpoints" / f"{number:010}").mkdir()
        for attempt in (1, 2):
            (self.state / "live" / f"{attempt:010}" / "rows").mkdir(parents=True, exist_ok=True)
        garbage = [{"what": "checkpoint", "number": number} for number in (ids[0] - 2, ids[0] - 1)] + [{"what": "live", "number": 1}]
        self.assertEqual(self.objects("checkpoints", "gc", "--dry-run"), [{**each, "removed": False} for each in garbage])
        done = self.refused("checkpoints", "gc", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], [{**each, "removed": True} for each in garbage])
        self.assertEqual([int(each.name) for each in sorted(self.state.glob("checkpoints/*"))], [*ids, ids[-1] + 1])
        self.assertEqual([each.name for each in self.state.glob("live/*")], ["0000000002"])
        self.assertEqual(self.look("checkpoints", "gc", "--dry-run"), "")
        self.look("checkpoints", "verify", ids[-1])
        nowhere = self.folder / "nowhere"
        self.assert_error(call(TOOL, "checkpoints", "gc", "--state", nowhere), "TM0201", 3)
        self.assertFalse(nowhere.exists())


class BesideARunningJob(InspectTest):
    def test_everything_can_be_looked_at(self):
        job = self.start("job", "--pace", 1_000, "--checkpoint-every", "30ms")
        self.wait_for_checkpoint("job", 2)
        well = 0
        deadline = time.monotonic() + 3
        while (time.monotonic() < deadline or well <= 8) and job.poll() is None:
            for words in (
                ["state", "ls"],
                ["state", "export", "rules", "state"],
                ["state", "top-keys", "rules", "records"],
                ["checkpoints", "verify"],
            ):
                done = self.refused(*words)
                if done.returncode == 0:
                    self.assertEqual(done.stderr, "")
                    well += 1
                else:
                    self.assert_error(done, "TM0201", 3, "was removed while it was read", "  fix  : ")
        self.assertGreater(well, 8)
        self.assert_error(self.refused("checkpoints", "gc"), "TM0302", 3)
        self.assertIsNone(job.poll())
        self.assertEqual(self.stop(job, signal.SIGINT), 130)


if __name__ == "__main__":
    unittest.main(verbosity=2)
