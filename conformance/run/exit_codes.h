// SPDX-License-Identifier: Apache-2.0
// How every tool of the project ends, and whose fault it is that it does.
#pragma once

#include "xhal/base.h"

namespace xhal::ending {

enum ExitCode : int {
  kExitOk = 0,            // done; conformant
  kExitMisbehaved = 1,    // a driver misbehaved; not conformant
  kExitUsage = 2,         // the user's input: an unknown name or option, a file that is no driver
  kExitNothing = 3,       // no device, or a filter that matches nothing
  kExitInternal = 4,      // the tool itself is broken, or its output could not be written
  kExitInterrupted = 130  // by a signal
};

// How a driver's way in ended.
enum class Entry {
  kNotLoaded,  // names, files and options were looked at, and nothing was loaded
  kRefused,    // xhal_instance_create returned an error
  kBroke,      // a crash, a hang, garbage, or a later call that no driver may refuse
};

// The one place that decides whose fault it is; docs/xhal-info.md and docs/conformance.md show it as a table.
constexpr ExitCode exit_code_of(Entry entry, xhal_result_t result) {
  if (result == XHAL_ERROR_INTERNAL || result == XHAL_ERROR_OUT_OF_HOST_MEMORY)
    return entry == Entry::kNotLoaded ? kExitInternal : kExitMisbehaved;
  if (entry == Entry::kNotLoaded) return kExitUsage;
  if (entry == Entry::kBroke) return kExitMisbehaved;
  switch (result) {
    case XHAL_ERROR_DRIVER_NOT_FOUND:
    case XHAL_ERROR_NOT_FOUND:         // a layer
    case XHAL_ERROR_BAD_MANIFEST:      // it and its library do not agree
    case XHAL_ERROR_INVALID_ARGUMENT:  // an option
      return kExitUsage;
    case XHAL_ERROR_UNSUPPORTED:  // what the driver drives is not on this machine
      return kExitNothing;
    default:
      return kExitMisbehaved;
  }
}

}  // namespace xhal::ending
