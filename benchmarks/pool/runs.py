"""What each run of a bench writes down, and what follows from it."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, median, quantiles

FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


def run(milliseconds: float) -> None:
    """The work of a task: nothing, for so long. One line: process, start, end, its CPU so far."""
    began = time.monotonic()
    if milliseconds:
        time.sleep(milliseconds / 1000)
    line = f"{os.getpid()} {began} {time.monotonic()} {time.process_time()}\n"
    descriptor = os.open(os.environ["BENCH_RUNS_FILE"], FLAGS, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def read(file: Path, *, last: int, slots: int) -> tuple[float, float, tuple[float, float]]:
    """Of the last runs: runs a second, milliseconds of CPU of a process for each, and the time
    between the end of one and the next start in its slot, median and 99th percentile, in
    milliseconds."""
    lines = [line.split() for line in file.read_text().splitlines()]
    runs = sorted((float(start), float(end), pid, float(cpu)) for pid, start, end, cpu in lines)
    runs = runs[-last:]
    ends = sorted(end for _, end, _, _ in runs)
    gaps = [1000 * (one[0] - end) for one, end in zip(runs[slots:], ends, strict=False)]
    used: dict[str, list[float]] = defaultdict(list)
    for _, _, pid, cpu in runs:
        used[pid].append(cpu)
    if len(used) == len(runs):  # a process for each
        cpu_ms = 1000 * mean(cpu for found in used.values() for cpu in found)
    else:
        spent = sum(max(found) - min(found) for found in used.values())
        cpu_ms = 1000 * spent / (len(runs) - len(used))
    rate = len(runs) / (ends[-1] - runs[0][0])
    return rate, cpu_ms, (median(gaps), quantiles(gaps, n=100)[98])
