// SPDX-License-Identifier: Apache-2.0
#include "suite/free_work.h"

#include "suite/support.h"

namespace xhal::conformance {

bool free_work_passes(Context& t) {
  if (!t.claims(XHAL_FEATURE_CROSS_STREAM_PROGRESS)) {
    t.note(
        "the device does not claim cross_stream_progress: absence while something is held shows nothing, "
        "results "
        "alone tell");
    return false;
  }
  Stream stream(t);
  Marker marker(t);
  marker.fill_on(t, stream);
  const xhal_result_t result = TRACED(xhal_stream_synchronize(stream, t.patience()));
  if (result != XHAL_SUCCESS || !marker.filled()) {
    Context::inconclusive(
        fmt::format("no witness: work on a free stream did not finish while something was held ({})",
                    result_name(result)));
  }
  return true;
}

}  // namespace xhal::conformance
