// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "programs/order.h"

namespace xhal::programs {

namespace {

// What lives, and what of it holds something.
class Lives {
 public:
  explicit Lives(const Program& program)
      : program_(program), written_(program.memories.size()), streams_(program.streams.size(), true) {
    for (size_t m = 0; m < written_.size(); ++m) {
      if (program.memories[m].origin == Origin::kPermanent)
        written_[m].assign(program.memories[m].bytes, true);
    }
  }

  std::string step(const Op& op) {
    if (op.stream != kNone) {
      if (!streams_[op.stream]) return "uses a destroyed stream";
      if (op.kind == Kind::kDestroyStream) streams_[op.stream] = false;
    }
    if (op.kind == Kind::kAllocate || op.kind == Kind::kPoolAllocate) {
      if (!written_[op.destination].empty()) return "allocates what lives";
      written_[op.destination].assign(program_.memories[op.destination].bytes, false);
      return {};
    }
    if (op.kind == Kind::kFree || op.kind == Kind::kPoolFree) {
      if (written_[op.destination].empty()) return "frees what does not live";
      written_[op.destination].clear();
      return {};
    }
    accesses_.clear();
    append_accesses(program_, op, accesses_);
    const bool updates = op.kind == Kind::kFold || op.kind == Kind::kFold2 || op.kind == Kind::kAxpy ||
                         op.kind == Kind::kHostFold;
    for (const Access& access : accesses_) {
      auto& written = written_[access.memory];
      if (written.size() < access.end || access.begin >= access.end) return "leaves its memory";
      const auto begin = written.begin() + access.begin;
      const auto end = written.begin() + access.end;
      if ((!access.write || updates) && std::find(begin, end, false) != end) return "reads what nobody wrote";
    }
    for (const Access& access : accesses_) {
      if (access.write)
        std::fill(written_[access.memory].begin() + access.begin,
                  written_[access.memory].begin() + access.end, true);
    }
    return {};
  }

  std::string end() const {
    for (const auto& written : written_) {
      if (std::find(written.begin(), written.end(), false) != written.end())
        return "leaves memory that nobody wrote";
    }
    return {};
  }

 private:
  const Program& program_;
  std::vector<std::vector<bool>> written_;
  std::vector<bool> streams_;
  std::vector<Access> accesses_;
};

// Gates that are shut, and what waits on the host meanwhile.
class Gates {
 public:
  explicit Gates(const Program& program) : gates_(program.gates) {}

  std::string step(const Order& order, const Op& op) {
    if (op.kind == Kind::kGate) {
      if (gates_[op.object].used) return "shuts a gate twice";
      gates_[op.object] = {true, true, op.stream, order.count(op.stream) + 1};
    } else if (op.kind == Kind::kOpen) {
      gates_[op.object].shut = false;
    } else if (waits_on_host(op.kind)) {
      for (const Gate& gate : gates_) {
        if (gate.shut && order.waits_for(op, gate.stream, gate.stamp))
          return "waits on the host for a shut gate";
      }
    }
    return {};
  }
  std::string end() const {
    for (const Gate& gate : gates_) {
      if (gate.shut) return "leaves a gate shut";
    }
    return {};
  }

 private:
  struct Gate {
    bool used = false, shut = false;
    uint32_t stream = 0, stamp = 0;
  };
  std::vector<Gate> gates_;
};

}  // namespace

std::string defect_of(const Program& program) {
  Order order(program);
  Lives lives(program);
  Gates gates(program);
  std::vector<Race> races;
  const auto told = [&](uint32_t i, const std::string& what) {
    return "operation " + std::to_string(i) + " (" + text_of(program, program.ops[i]) + ") " + what;
  };
  for (uint32_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (std::string wrong = lives.step(op); !wrong.empty()) return told(i, wrong);
    if (std::string wrong = gates.step(order, op); !wrong.empty()) return told(i, wrong);
    order.prepare(op, races);
    if (!races.empty()) {
      return told(i, "races with operation " + std::to_string(races.front().op) + " (" +
                         text_of(program, program.ops[races.front().op]) + ")");
    }
    order.commit(op, i);
  }
  if (std::string wrong = lives.end(); !wrong.empty()) return "the program " + wrong;
  if (std::string wrong = gates.end(); !wrong.empty()) return "the program " + wrong;
  return {};
}

}  // namespace xhal::programs
