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

// Attaches the layers, opens the driver and lists its devices. On a problem the caller closes what there is of it. `layer_at_fault` tells whether a
// layer was the reason, which is an error of the whole instance: layers are always asked for.
Problem open_driver(const Library& library, OptionList& options, std::span<AskedLayer> layers,
                    const LogSink& log, OpenDriver& out, bool& layer_at_fault);

// The driver's close alone; its layers and tables stay. CALL_FORBIDDEN: nothing happened. Any other error is logged, and the driver is gone.
xhal_result_t close_handle(OpenDriver& driver, const LogSink& log);

// The driver's close where it has not been yet, then the layers' detach. A driver that still refuses to be closed has calls on its stack: it is
// left open for ever with all that they may come back to, and that is logged.
void close_driver(std::unique_ptr<OpenDriver> driver, const LogSink& log);

}  // namespace xhal::host
