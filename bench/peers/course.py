#!/usr/bin/env python3
"""The course's program in Python, our own rendering: square random integers with every pool it shows.

Same options and the same records as twin_arm: values over all of int32, results checked by a
position-weighted sum, time from the call until the last result, interpreter start not counted.
The pool is opened before the clock starts (as in the warm rows of C) and warmed by a few calls;
heavy strategies run a prefix, given by the caller.
"""
import argparse
import itertools
import math
import os
import random
import sys
import time
from array import array
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Array, Pool, Process
from operator import mul

WEIGHTS_MODULUS = 1 << 64
ITEM_BYTES = 200  # of values, results and what is sent, as Python objects
PENDING = 4096
WARM_UP = 100


def square(value):
    return value * value


def store(results, place, value):
    """A bare Process gives nothing back, so it writes into shared memory."""
    results[place] = square(value)


def worker_of(_):
    time.sleep(0.0002)
    return os.getpid()


def checksum(results):
    return sum(map(mul, itertools.count(1, 2), results)) % WEIGHTS_MODULUS


def random_values(seed, count):
    """As many numbers over all of int32, from one block of random bits."""
    values = array("i")
    bits = random.Random(seed).getrandbits(32 * count) if count else 0
    values.frombytes(bits.to_bytes(4 * count, sys.byteorder))
    return values.tolist()


class Watch:
    """The clock of one pass: started by the call, told when it returned and when all was there."""

    def __init__(self):
        self.start = time.perf_counter_ns()
        self.returned = self.first = None

    def call_returned(self):
        self.returned = time.perf_counter_ns() - self.start

    def first_result(self):
        if self.first is None:
            self.first = time.perf_counter_ns() - self.start


def sequential(_, values, __, watch):
    results = [square(value) for value in values]
    watch.call_returned()
    return results


def spawn_bounded(_, values, workers, watch):
    """A process per number, twice as many alive as there are workers."""
    results, alive = Array("q", len(values), lock=False), []
    for place, value in enumerate(values):
        if len(alive) == 2 * workers:
            alive.pop(0).join()
        process = Process(target=store, args=(results, place, value))
        process.start()
        alive.append(process)
    for process in alive:
        process.join()
    watch.call_returned()
    return results


def pool_map(pool, values, chunk, watch):
    results = pool.map(square, values, chunk)
    watch.call_returned()
    return results


def pool_map_async(pool, values, chunk, watch):
    handle = pool.map_async(square, values, chunk)
    watch.call_returned()
    return handle.get()


def pool_apply(pool, values, _, watch):
    results = []
    for value in values:
        results.append(pool.apply(square, (value,)))
        watch.first_result()
    watch.call_returned()
    return results


def pipelined(submit, collect, values, watch):
    results, pending = [], []
    for value in values:
        if len(pending) == PENDING:
            results.extend(collect(handle) for handle in pending)
            pending.clear()
            watch.first_result()
        pending.append(submit(value))
    watch.call_returned()
    results.extend(collect(handle) for handle in pending)
    return results


def pool_apply_async(pool, values, _, watch):
    return pipelined(lambda value: pool.apply_async(square, (value,)),
                     lambda handle: handle.get(), values, watch)


def executor_submit(executor, values, _, watch):
    return pipelined(lambda value: executor.submit(square, value),
                     lambda future: future.result(), values, watch)


def executor_map(executor, values, chunk, watch):
    iterator = executor.map(square, values, chunksize=chunk)
    watch.call_returned()
    return list(iterator)


STRATEGIES = {
    "sequential": (sequential, None),
    "spawn_bounded": (spawn_bounded, None),
    "map": (pool_map, Pool),
    "map_async": (pool_map_async, Pool),
    "apply": (pool_apply, Pool),
    "apply_async": (pool_apply_async, Pool),
    "executor_submit": (executor_submit, ProcessPoolExecutor),
    "executor_map": (executor_map, ProcessPoolExecutor),
}


def distinct_workers(opened, kind, count):
    """How many processes ran tasks: by an extra pass that is not timed."""
    if kind is Pool:
        return len(set(opened.map(worker_of, range(20 * count), 1)))
    if kind is ProcessPoolExecutor:
        return len(set(opened.map(worker_of, range(20 * count))))
    return None


def whole_number(text):
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: accepted is a whole number")
    return int(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--strategy", choices=STRATEGIES, required=True)
    parser.add_argument("--n", type=whole_number, default=1000000)
    parser.add_argument("--prefix", type=whole_number, default=0)
    parser.add_argument("--workers", type=whole_number, default=2)
    parser.add_argument("--chunk", default="cpython")
    parser.add_argument("--seed", type=whole_number, default=1)
    return parser.parse_args()


def measure(options):
    count = min(options.prefix or options.n, options.n)
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    if count * ITEM_BYTES > memory:
        print(f"course.py: --n={count}: too large for memory; accepted are at most "
              f"{memory // ITEM_BYTES} here and now", file=sys.stderr)
        return 2
    values = random_values(options.seed, count)
    chunk = (math.ceil(count / (4 * options.workers)) if options.chunk == "cpython"
             else whole_number(options.chunk))
    run, kind = STRATEGIES[options.strategy]
    start = time.perf_counter_ns()
    opened = kind(options.workers) if kind else None
    open_ns = time.perf_counter_ns() - start
    if kind:
        run(opened, values[:WARM_UP], chunk, Watch())
    watch = Watch()
    results = run(opened, values, chunk if kind else options.workers, watch)
    elapsed_ns = time.perf_counter_ns() - watch.start
    right = checksum(results) == checksum(map(mul, values, values))
    records = {"phase": "warm", "outcome": "ok" if right else "wrong_result", "n_run": count,
               "elapsed_ns": elapsed_ns, "return_ns": watch.returned,
               "first_result_ns": watch.first, "open_ns": open_ns if kind else None,
               "distinct_workers": distinct_workers(opened, kind, options.workers),
               "chosen_chunk": chunk if "map" in options.strategy else None,
               "python": sys.version.split()[0]}
    if kind is Pool:
        opened.terminate()
        opened.join()
    elif kind:
        opened.shutdown()
    for key, value in records.items():
        if value is not None:
            print(f"{key}={value}")
    print("end", flush=True)
    return 0 if right else 3


if __name__ == "__main__":
    sys.exit(measure(arguments()))
