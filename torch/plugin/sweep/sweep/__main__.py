# SPDX-License-Identifier: Apache-2.0
"""python -m sweep: see README.md in this folder, and --help."""
from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweep.table import Changes

PAIRS_BETWEEN_NEWS = 500
HERE = Path(__file__).resolve().parent

EPILOG = """exit codes: 0 every pair is native, fallback, refused or excluded with a reason, and none is worse than in the table compared with;
1 a failure without a reason, a line that is worse (of all pairs: or another), or an entry of known.toml that nothing needs; 2 wrong usage or no device"""


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sweep", description="Runs PyTorch's operators, modules and optimisers on a device and "
                                     "compares them with the CPU.", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="xhal", help="cpu compares the CPU with itself (default: xhal)")
    parser.add_argument("--suite", action="append", choices=("op", "module", "optim"), help="may be given again (default: all)")
    parser.add_argument("--operators", metavar="REGEX", help="those whose whole name matches; a variant's name is behind a dot")
    parser.add_argument("--dtypes", nargs="+", metavar="TYPE", help="float32, int64, ...")
    parser.add_argument("--sample", type=int, metavar="N", help="N of these pairs, the same each time for a seed")
    parser.add_argument("--seed", default="0", metavar="TEXT", help="which ones --sample takes (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="worker processes (default: 1)")
    parser.add_argument("--seconds", type=float, default=300.0, help="a pair that takes longer hangs (default: 300)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="a table of a former run: what is worse fails; what is better fails where "
                        "all pairs run, and is told of else")
    parser.add_argument("--record", type=Path, metavar="DOCS", help="of all pairs: write the table and all that is made of it into this folder "
                        "'docs'; differences to --compare do not fail then")
    parser.add_argument("--known", type=Path, default=HERE / "known.toml", metavar="FILE", help="refusals and exclusions")
    parser.add_argument("--setup", type=Path, metavar="FILE", help="a Python file that each worker runs first")
    parser.add_argument("--list", action="store_true", help="print the pairs and end")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="print the N pairs that took longest")
    parser.add_argument("--quiet", action="store_true", help="print neither failures nor how far it is while running")
    given = parser.parse_args(argv)
    if given.jobs < 1 or given.seconds <= 0 or (given.sample is not None and given.sample < 1):
        parser.error("--jobs, --seconds and --sample are above 0")
    try:
        re.compile(given.operators or "")
    except re.error as error:
        parser.error(f"--operators {given.operators}: {error}")
    for path in (given.known, given.compare, given.setup, given.record and given.record / "torch.md"):
        if path is not None and not path.is_file():
            parser.error(f"no such file: {path}")
    if given.record and (given.suite or given.operators or given.dtypes or given.sample):
        parser.error("--record is about all pairs")
    return given


def driver_of(given: argparse.Namespace) -> str:
    return os.environ.get("XHAL_DRIVERS", given.device)


def _refuse(text: str) -> int:
    print(f"sweep: {text}", file=sys.stderr)
    return 2


def main(argv: list[str] | None = None) -> int:
    given = arguments(argv)
    # Two workers on two processors: threads of a library beside them only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from sweep import pairs as all_of
    from sweep.known import read_known
    from sweep.native import check_documents
    from sweep.table import read_table

    import torch

    every = all_of.all_pairs(given.suite or all_of.SUITES)
    known_dtypes = {pair.dtype for pair in every}
    if set(given.dtypes or ()) - known_dtypes:
        return _refuse(f"no such type: {', '.join(sorted(set(given.dtypes) - known_dtypes))}; there are {', '.join(sorted(known_dtypes))}")
    chosen = all_of.chosen(every, given.operators, given.dtypes)
    if not chosen:
        return _refuse("nothing is chosen; --list prints the pairs that there are")
    if given.sample is not None:
        print(f"sweep: --sample {given.sample} --seed {given.seed} takes the same pairs again, of {len(chosen)}")
        chosen = all_of.sample_of(chosen, given.sample, given.seed)
    if given.list:
        print("\n".join(str(pair) for pair in chosen))
        return 0
    if given.device != "cpu":
        try:
            module = torch.get_device_module(given.device)
        except (RuntimeError, AttributeError):
            return _refuse(f"PyTorch has no device '{given.device}'; is torch_xhal installed?")
        if not module.is_available():
            return _refuse(f"no device '{given.device}': {module.why_none() if hasattr(module, 'why_none') else 'its driver has none'}")
    try:
        if given.record:
            check_documents(given.record, driver_of(given))
        known = read_known(given.known)
        former = read_table(given.compare) if given.compare else None
    except ValueError as error:
        return _refuse(str(error))
    return _sweep(given, chosen, every, known, former)


def is_as_before(given: argparse.Namespace, found: Changes, is_whole: bool) -> bool:
    """What is better and not in the table could be lost again unseen: only a part of the pairs may leave that to a later run."""
    for text in found.worse:
        print(f"worse: {text}")
    for text in found.better:
        print(f"better: {text}")
    for pairs, what in ((found.new, f"not in {given.compare}"), (found.gone, f"in {given.compare}, and there is no such pair")):
        if pairs:
            print(f"sweep: {len(pairs)} pairs are {what}: {', '.join(pairs[:5])}{', ...' if len(pairs) > 5 else ''}")
    is_old = bool(found.better or found.new or found.gone)
    if is_old and not given.record:
        print("sweep: the table is behind; make it anew with --record and commit it")
    return bool(given.record) or not (found.worse or (is_old and is_whole))


def _sweep(given: argparse.Namespace, chosen: list, every: list, known: "object", former: "dict | None") -> int:
    from sweep import pairs as all_of
    from sweep.judge import judge, unneeded
    from sweep.native import write_documents
    from sweep.pool import Options, run
    from sweep.table import changes, line_of, summary, write_table

    start = time.monotonic()
    options = Options(given.device, given.known, given.setup, given.jobs, given.seconds)
    never = {pair: entry for pair in chosen if (entry := known.is_never_run(pair))}
    lines, needed, times = [], set(), []
    failed = 0
    for number, (pair, report) in enumerate(judge(run([pair for pair in chosen if pair not in never], options), never, known, needed), 1):
        line = line_of(pair, report)
        lines.append(line)
        times.append((report.seconds, pair))
        if report.has_failed:
            failed += 1
            if not given.quiet:
                print(f"FAIL {pair}: {line.reason}", flush=True)
        if number % PAIRS_BETWEEN_NEWS == 0 and not given.quiet:
            print(f"sweep: {number} of {len(chosen)} pairs, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    lines.sort(key=lambda line: line.pair)
    if given.table:
        write_table(lines, given.table)
    print(summary(lines))
    for seconds, pair in sorted(times, reverse=True)[: given.slowest]:
        print(f"{seconds:7.2f} s {pair}")
    print(f"sweep: {len(lines)} pairs in {time.monotonic() - start:.0f} seconds, {failed} failed without a reason")
    is_wrong = failed > 0
    is_whole = chosen == all_of.all_pairs(all_of.SUITES)
    for entry in unneeded(known, needed, chosen, every, is_whole):
        print(f"sweep: no pair needs this entry any more, remove it: {entry}")
        is_wrong = True
    if given.record:
        driver = driver_of(given)
        write_table(lines, given.record / "results" / "torch" / f"operators-{driver}.tsv")
        write_documents(lines, given.record, driver, (time.monotonic() - start) / 60)
    if former is not None:
        is_wrong = not is_as_before(given, changes(lines, former, every), is_whole) or is_wrong
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
