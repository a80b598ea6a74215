# SPDX-License-Identifier: Apache-2.0
"""Whether a program runs on the device without the host's help: python -m torch_xhal.check --help."""
