// SPDX-License-Identifier: Apache-2.0
// Runs programs on a driver and compares what is left of them with what the oracle says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frame/session.h"
#include "programs/generate.h"
#include "programs/oracle.h"

namespace xhal::programs {

struct Verdict {
  bool same = true;
  std::string text;  // one line: the first difference, or the call that failed
  // Work may be left behind, or the device is broken: the process should run no more programs.
  bool spoiled = false;
  Contents got{};  // what was read back
};

// Devices that the driver has and what they claim, as far as programs use it.
World world_of(conformance::Session& session);
// Whether a stream of the device under test can be held shut while others go on.
bool can_hold(conformance::Session& session);

// What programs have in common: made once, used by one after the other.
class Executor {
 public:
  // `keeps`: a program's streams and events serve the next one too; else each gets new ones.
  Executor(conformance::Session& session, uint64_t patience_ns, bool keeps = true);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // `dropped`: a wait whose call is left out, to see whether that is seen.
  Verdict run(const Program& program, uint32_t dropped = kNone);
  // The same against contents that are known already.
  Verdict run(const Program& program, const Contents& expected, uint32_t dropped = kNone);

 private:
  friend class Run;
  struct Device;
  conformance::Session& session_;
  uint64_t patience_;
  bool keeps_;
  bool spoiled_ = false;
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace xhal::programs
