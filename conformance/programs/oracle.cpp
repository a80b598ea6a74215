// SPDX-License-Identifier: Apache-2.0
#include "programs/oracle.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace xhal::programs {

namespace {

class Machine {
 public:
  explicit Machine(const Program& program) : program_(program), contents_(program.memories.size()) {
    for (uint32_t m = 0; m < contents_.size(); ++m) {
      if (program.memories[m].origin != Origin::kPermanent) continue;
      contents_[m].resize(program.memories[m].bytes);
      write_data(initial_value(program, m), contents_[m].data(), program.memories[m].bytes);
    }
  }

  void run(const Op& op) {
    switch (op.kind) {
      case Kind::kCopy:
      case Kind::kCopyKernel:
      case Kind::kHostRead:
        std::memmove(destination(op), source(op), op.bytes);
        break;
      case Kind::kFill:
        for (uint32_t at = 0; at < op.bytes; at += op.width)
          std::memcpy(destination(op) + at, &op.value, op.width);
        break;
      case Kind::kFold:
      case Kind::kHostFold:
        for_cells(op, [&](uint64_t cell, uint64_t) { return mix(cell, op.value); });
        break;
      case Kind::kFold2:
        for_cells(op, [&](uint64_t cell, uint64_t other) { return mix(mix(cell, other), op.value); });
        break;
      case Kind::kAxpy:
        for_cells(op, [&](uint64_t cell, uint64_t other) { return cell + op.value * other; });
        break;
      case Kind::kHostWrite:
        write_data(op.value, destination(op), op.bytes);
        break;
      case Kind::kAllocate:
      case Kind::kPoolAllocate:
        contents_.at(op.destination).assign(program_.memories[op.destination].bytes, 0);
        break;
      case Kind::kFree:
      case Kind::kPoolFree:
        contents_.at(op.destination).clear();
        break;
      case Kind::kLaunch:
        for (const Op& node : program_.graphs.at(op.object).body) run(node);
        break;
      default:
        break;
    }
  }

  Contents take() { return std::move(contents_); }

 private:
  unsigned char* at(uint32_t memory, uint32_t offset, uint32_t bytes) {
    auto& content = contents_.at(memory);
    if (content.size() < offset || content.size() - offset < bytes)
      throw std::out_of_range("an operation leaves its memory");
    return content.data() + offset;
  }
  unsigned char* destination(const Op& op) { return at(op.destination, op.destination_offset, op.bytes); }
  unsigned char* source(const Op& op) { return at(op.source, op.source_offset, op.bytes); }

  template <class F>
  void for_cells(const Op& op, F result) {
    unsigned char* const to = destination(op);
    const unsigned char* const from = op.source == kNone ? to : source(op);
    for (uint32_t i = 0; i + 8 <= op.bytes; i += 8) {
      uint64_t cell = 0;
      uint64_t other = 0;
      std::memcpy(&cell, to + i, 8);
      std::memcpy(&other, from + i, 8);
      cell = result(cell, other);
      std::memcpy(to + i, &cell, 8);
    }
  }

  const Program& program_;
  Contents contents_;
};

// Which operation wrote each byte last.
std::vector<std::vector<uint32_t>> last_writers(const Program& program) {
  std::vector<std::vector<uint32_t>> writers(program.memories.size());
  for (uint32_t m = 0; m < writers.size(); ++m) writers[m].assign(program.memories[m].bytes, kNone);
  std::vector<Access> accesses;
  for (uint32_t i = 0; i < program.ops.size(); ++i) {
    accesses.clear();
    append_accesses(program, program.ops[i], accesses);
    for (const Access& access : accesses) {
      if (access.write)
        std::fill(writers[access.memory].begin() + access.begin, writers[access.memory].begin() + access.end,
                  i);
    }
  }
  return writers;
}

uint64_t bytes_at(const std::vector<unsigned char>& content, uint32_t offset, uint32_t count) {
  uint64_t out = 0;
  std::memcpy(&out, content.data() + offset, count);
  return out;
}

}  // namespace

Contents expected_contents(const Program& program) {
  Machine machine(program);
  for (const Op& op : program.ops) machine.run(op);
  return machine.take();
}

std::optional<Difference> first_difference(const Program& program, const Contents& expected,
                                           const Contents& got) {
  if (expected == got) return {};
  const auto writers = last_writers(program);
  Difference first;
  uint64_t best = UINT64_MAX;
  for (uint32_t m = 0; m < expected.size(); ++m) {
    for (uint32_t i = 0; i < expected[m].size(); ++i) {
      if (i < got[m].size() && got[m][i] == expected[m][i]) continue;
      ++first.differing;
      // The first contents come first of all.
      const uint64_t rank = writers[m][i] == kNone ? 0 : uint64_t{writers[m][i]} + 1;
      if (rank >= best) continue;
      best = rank;
      first.memory = m;
      first.offset = i;
      first.writer = writers[m][i];
    }
  }
  const auto size = static_cast<uint32_t>(expected[first.memory].size());
  first.count = std::min(8u, size - first.offset);
  first.expected = bytes_at(expected[first.memory], first.offset, first.count);
  if (got[first.memory].size() == size) first.got = bytes_at(got[first.memory], first.offset, first.count);
  return first;
}

std::string text_of(const Program& program, const Difference& difference) {
  const auto hex = [&](uint64_t value) {
    std::string out;
    for (uint32_t i = 0; i < difference.count; ++i) {
      static constexpr char kDigits[] = "0123456789abcdef";
      if (i > 0) out += ' ';
      out += kDigits[value >> (8 * i + 4) & 15];
      out += kDigits[value >> (8 * i) & 15];
    }
    return out;
  };
  std::string out = "m" + std::to_string(difference.memory) + "+" + std::to_string(difference.offset) +
                    ": expected bytes " + hex(difference.expected) + ", got " + hex(difference.got) + "; ";
  if (difference.writer == kNone) {
    out += "nothing should have written there";
  } else {
    out += "operation " + std::to_string(difference.writer) +
           " should have written it last: " + text_of(program, program.ops[difference.writer]);
  }
  if (difference.differing > 1) out += "; " + std::to_string(difference.differing) + " bytes differ in all";
  return out;
}

}  // namespace xhal::programs
