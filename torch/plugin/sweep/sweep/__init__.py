# SPDX-License-Identifier: Apache-2.0
"""Every operator, module and optimiser of PyTorch's own databases on a device, beside the CPU. Not in the wheel; see README.md."""
