# SPDX-License-Identifier: Apache-2.0
"""Writes the C++ that registers operators with PyTorch's own host side, from the list of operators that PyTorch installs.

usage: register.py native_functions.yaml OPERATORS.txt OUT.cpp [HEADER...]

HEADER declares what a line gives in the place of PyTorch's.

A line of OPERATORS.txt names operators, with all overloads, in-place and out variants that PyTorch has for the host:
  exp sin cos
or gives an implementation in the place of PyTorch's (a class for a structured operator, else a function), for one operator or one overload:
  gelu = torch_xhal::Gelu
or leaves one out that is registered beside its code:
  -normal_
What a release of PyTorch lacks is left out.
"""
from __future__ import annotations

import sys
from pathlib import Path

import yaml


def parts(function: str) -> tuple[str, str, str]:
    """Base name, whether in place ("_" or ""), overload."""
    name, _, overload = function.partition(".")
    is_in_place = name.endswith("_") and not name.endswith("__")
    if name.startswith("__i") and name.endswith("__"):
        return name, "", overload
    return (name[:-1], "_", overload) if is_in_place else (name, "", overload)


def op_struct(function: str) -> str:
    name, _, overload = function.partition(".")
    return "at::_ops::" + name + (f"_{overload}" if overload else "")


def headers_of(base: str) -> list[str]:
    # `__ilshift__` stands beside `__lshift__`, in lshift's header.
    stem = base.strip("_").removeprefix("i") if base.startswith("__") else base
    return [f"ATen/ops/{stem}_native.h", f"ATen/ops/{stem}_ops.h"]


def host_kernel(entry: dict) -> str | None:
    for keys, kernel in (entry.get("dispatch") or {}).items():
        if "CPU" in [key.strip() for key in keys.split(",")]:
            return kernel
    return None


def main() -> None:
    source, listing, target = (Path(argument) for argument in sys.argv[1:4])
    own_headers = sys.argv[4:]
    entries = {entry["func"].split("(")[0]: entry for entry in yaml.safe_load(source.read_text())}
    by_base: dict[str, list[str]] = {}
    for function in entries:
        by_base.setdefault(parts(function)[0], []).append(function)

    wanted: list[tuple[str, str | None]] = []
    for line in listing.read_text().splitlines():
        line = line.partition("#")[0].strip()
        names, _, own = (text.strip() for text in line.partition("="))
        wanted += [(name, own or None) for name in names.split()]

    rows: list[str] = []
    includes: set[str] = set()
    seen: set[str] = set()
    for name, own in wanted:
        if name.startswith("-"):
            seen.add(name[1:])
            continue
        functions = [name] if name in entries and ("." in name or name.endswith("_") or own) else by_base.get(name, [])
        if own and name in entries and entries[name].get("structured_delegate"):
            functions = [entries[name]["structured_delegate"]]
        elif own and "." not in name:
            functions = [function for function in by_base.get(name, []) if entries[function].get("structured")] or functions
        for function in functions:
            entry = entries[function]
            base = parts(function)[0]
            if entry.get("structured_delegate") or function in seen:
                continue
            if entry.get("structured"):
                kernel = own or (host_kernel(entry) and "at::native::structured_" + host_kernel(entry))
                if kernel is None or kernel.endswith("None"):
                    # Operators with a kernel for each element have a class of another name.
                    kernel = f"at::native::structured_ufunc_{parts(function)[0]}_CPU" if "ufunc_inner_loop" in entry else None
                if kernel is None:
                    continue
                delegates = [other for other in by_base[parts(function)[0]] if entries[other].get("structured_delegate") == function]
                variants = {"": "void", "_": "void"}
                for other in delegates:
                    variants[parts(other)[1]] = op_struct(other)
                includes.update([*headers_of(base)])
                rows.append(f"structured<{kernel}, {variants['']}, {variants['_']}, {op_struct(function)}>(m);")
                seen.update([function, *delegates])
            else:
                kernel = own or (host_kernel(entry) and "at::native::" + host_kernel(entry))
                if not kernel:
                    continue
                includes.update([*headers_of(base)])
                rows.append(f"plain<{op_struct(function)}, &{kernel}>(m);")
                seen.add(function)
        if not functions:
            rows.append(f"// this PyTorch has no {name}")

    body = "\n  ".join(rows)
    target.write_text(
        "// Made by codegen/register.py.\n"
        + "".join(f"#include <{header}>\n" for header in sorted(includes))
        + "".join(f'#include "{header}"\n' for header in own_headers)
        + '#include "ops/native.hpp"\n\n'
        + "namespace torch_xhal::native {\n"
        "TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {\n  " + body + "\n}\n"
        "}  // namespace torch_xhal::native\n"
    )


if __name__ == "__main__":
    main()
