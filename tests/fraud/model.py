#!/usr/bin/env python3
"""The fraud rules as a naive program: reads everything, sorts, and looks at all pairs.

usage: model.py TRANSACTIONS.csv [--rules v1|v2] [--disorder SECONDS] [--late]

Prints one line card,transaction,rule per alert, sorted; with --late the ids of the late transactions instead, sorted.
"""
import argparse
import csv
import math
import sys
from collections import defaultdict


def kilometres(a, b):
    lat1, lon1, lat2, lon2 = (math.radians(x) for x in (a["lat"], a["lon"], b["lat"], b["lon"]))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(min(1.0, h)))


def read(path, disorder):
    """The transactions that are not late, by card, and the ids of those that are: each is judged by the watermark just before it."""
    greatest, kept, late_ids = None, defaultdict(list), []
    with open(path, newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            time = int(row["unix_time"])
            late = greatest is not None and time * 1_000_000 <= greatest * 1_000_000 - disorder * 1_000_000 - 1
            greatest = time if greatest is None else max(greatest, time)
            if late:
                late_ids.append(row["trans_num"])
            else:
                kept[row["cc_num"]].append({"id": row["trans_num"], "time": time, "amount": float(row["amt"]),
                                            "lat": float(row["merch_lat"]), "lon": float(row["merch_long"])})
    return kept, late_ids


def rules_v1(now, history):
    if sum(now["time"] - h["time"] < 60 for h in history) >= 5:
        yield "high_velocity"
    if history and kilometres(history[-1], now) > 5000:
        yield "impossible_travel"
    if history and now["amount"] > 10 * (sum(h["amount"] for h in history) / len(history)):
        yield "amount_anomaly"


def rules_v2(now, history):
    if 1 + sum(now["time"] - 300 < h["time"] for h in history) > 5:
        yield "high_velocity"
    if now["amount"] > 10000:
        yield "large_amount"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("transactions")
    parser.add_argument("--rules", choices=["v1", "v2"], default="v1")
    parser.add_argument("--disorder", type=int, default=30)
    parser.add_argument("--late", action="store_true")
    arguments = parser.parse_args()
    kept, late_ids = read(arguments.transactions, arguments.disorder)
    if arguments.late:
        sys.stdout.write("".join(each + "\n" for each in sorted(late_ids)))
        return
    rules = rules_v1 if arguments.rules == "v1" else rules_v2
    lines = []
    for card, transactions in kept.items():
        transactions.sort(key=lambda t: (t["time"], t["id"]))
        for i, now in enumerate(transactions):
            history = [h for h in transactions[:i] if now["time"] - h["time"] < 3600]
            lines += [f"{card},{now['id']},{rule}" for rule in rules(now, history)]
    sys.stdout.write("".join(line + "\n" for line in sorted(lines)))


if __name__ == "__main__":
    main()
