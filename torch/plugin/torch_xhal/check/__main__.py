# SPDX-License-Identifier: Apache-2.0
"""The command; see --help."""
from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, Callable

import torch

from torch_xhal import _C
from torch_xhal.check import programs
from torch_xhal.check.result import MEANINGS, Exit, Result, as_html, as_text, environment, operators

EPILOG = "exit codes:\n" + "\n".join(f"  {int(code)}  {text}" for code, text in MEANINGS.items()) + """

A script is run as python would run it and puts its own tensors on the device. A model is made without arguments, moved to the device and run
forward and backward. Operators that PyTorch composes of others are not listed, the others are. Times are the host's and have no other listed
operator in them; with --wait each operator is waited for, so that they have the device's work in them. Only this process is seen, all its
threads included."""


def _device_name() -> str:
    return torch._C._get_privateuse1_backend_name()


def _device_module() -> Any:
    return torch.get_device_module(_device_name())


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m torch_xhal.check", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs a program and says of each operator on the device whether it is native, ran on the host or is missing.",
    )
    parser.add_argument("target", metavar="script.py | module:Model")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="the script's arguments")
    parser.add_argument("--input", action="append", default=[], metavar="SHAPE:DTYPE | module:function",
                        help="what the model is called with, one for each argument; or a function that returns a tensor, a tuple or a dict")
    parser.add_argument("--eval", action="store_true", help="the model in evaluation mode")
    parser.add_argument("--no-backward", action="store_true", help="the model's forward only")
    parser.add_argument("--wait", action="store_true", help="wait for the device behind each operator")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--html", type=Path, metavar="FILE")
    return parser.parse_args(argv)


def _program(given: argparse.Namespace, device: torch.device) -> Callable[[], None]:
    if ":" in given.target and not Path(given.target).exists():
        if given.arguments:
            raise programs.Usage(f"options stand before the model: {' '.join(given.arguments)}")
        return programs.model(given.target, given.input, device, not given.no_backward, given.eval)
    if given.input or given.eval or given.no_backward:
        raise programs.Usage("--input, --eval and --no-backward are for a model (module:Model), not for a script")
    return programs.script(Path(given.target), given.arguments)


def _usage(text: object) -> int:
    print(f"check: {text}", file=sys.stderr)
    return Exit.USAGE


def _end_of(error: BaseException) -> tuple[str, bool]:
    """What to tell of it, and whether an operator is missing."""
    cause = error.cause if isinstance(error, programs.Stopped) and error.cause is not None else error
    text = str(error) if isinstance(error, programs.Stopped) else f"{type(error).__name__}: {error}"
    return next(iter(text.splitlines()), ""), isinstance(cause, NotImplementedError)


def _observe(program: Callable[[], None], waits: bool) -> BaseException | None:
    _C.forget_observed()
    _C.observe(waits)
    try:
        program()
        # Errors of the device that nobody has asked for yet.
        if _device_module().is_initialized():
            torch.accelerator.synchronize()
    except (Exception, KeyboardInterrupt) as error:
        return error
    finally:
        _C.stop_observing()
    return None


def _judge(result: Result, error: BaseException | None) -> None:
    is_missing = False
    if error is not None:
        result.error, is_missing = _end_of(error)
    result.operators = operators(_C.last_failed_operator() if is_missing else "")
    if is_missing and result.counted("missing"):
        result.verdict = Exit.MISSING
    elif error is not None:
        result.verdict = Exit.FAILED
    elif not result.operators:
        result.verdict = Exit.NOTHING
    elif result.counted("missing"):
        result.verdict = Exit.MISSING
    else:
        result.verdict = Exit.FALLBACK if result.counted("fallback") else Exit.NATIVE


def main(argv: list[str] | None = None) -> int:
    given = _arguments(argv)
    module = _device_module()
    if not module.is_available():
        return _usage(f"no device: {_C.why_none()}")
    for path in (given.json, given.html):
        if path is not None and not os.access(path.absolute().parent, os.W_OK):
            return _usage(f"cannot write {path}")
    result = Result(given.target, environment(module.current_device()), waited=given.wait)
    error: BaseException | None = None
    try:
        program = _program(given, torch.device(_device_name()))
        error = _observe(program, given.wait)
    except programs.Usage as wrong:
        return _usage(wrong)
    except programs.Stopped as stopped:
        error = stopped
    if error is not None and not isinstance(error, programs.Stopped):
        traceback.print_exception(error)
    _judge(result, error)
    print(as_text(result))
    if given.json:
        given.json.write_text(json.dumps(result.as_json(), indent=1) + "\n")
    if given.html:
        given.html.write_text(as_html(result))
    sys.stdout.flush()
    return result.verdict


if __name__ == "__main__":
    sys.exit(main())
