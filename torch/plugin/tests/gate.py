# SPDX-License-Identifier: Apache-2.0
"""Holds a stream shut, so that a test can look at what has not happened: a kernel would need time, a gate does not."""
from __future__ import annotations

import os
import unittest

import torch
from torch_xhal import _C


class Gate:
    """Work that is given to the stream behind the gate waits until open(); leaving the block opens it."""

    def __init__(self, stream: torch.Stream) -> None:
        self._held = _C.hold_stream(stream.stream_id, stream.device_index)

    def open(self) -> None:
        self._held.open()

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: object) -> None:
        self.open()


# What takes long to compile, or starts many processes.
nightly = unittest.skipUnless(os.environ.get("TORCH_XHAL_TESTS") == "nightly", "set TORCH_XHAL_TESTS=nightly")
