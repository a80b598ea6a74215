// SPDX-License-Identifier: Apache-2.0
#include "suite/free_work.h"

#include "frame/gate.h"

namespace xhal::conformance {

// A gate that nothing is behind: what is held needs none of the frame's, and the frame's witness makes and frees nothing meanwhile, which
// might wait for what is held.
bool free_work_passes(Context& t) {
  const Gate beside(t, [] {});
  return t.witness(beside);
}

}  // namespace xhal::conformance
