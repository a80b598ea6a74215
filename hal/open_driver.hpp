// SPDX-License-Identifier: Apache-2.0
// One driver of one instance, from its library to the list of its devices, and back.
#pragma once

#include <span>

#include "instance.hpp"
#include "options.hpp"

namespace xhal::host {

// A layer that the instance asked for. The application's end of the chain comes first.
struct AskedLayer {
  const Library* library = nullptr;
  OptionList options;
};

// Attaches the layers, opens the driver and lists its devices. On a problem all of it is undone again. `layer_at_fault` tells whether a
// layer was the reason, which is an error of the whole instance: layers are always asked for.
Problem open_driver(const Library& library, OptionList& options, std::span<AskedLayer> layers,
                    const LogSink& log, OpenDriver& out, bool& layer_at_fault);

// The driver's close, then the layers' detach. CALL_FORBIDDEN: nothing happened. Any other error is logged, and the driver is gone.
xhal_result_t close_driver(OpenDriver& driver, const LogSink& log);

}  // namespace xhal::host
