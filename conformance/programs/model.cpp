// SPDX-License-Identifier: Apache-2.0
#include "programs/model.h"

#include <algorithm>
#include <cstring>

namespace xhal::programs {

namespace {

std::string place(uint32_t memory, uint32_t offset) {
  return "m" + std::to_string(memory) + "+" + std::to_string(offset);
}

std::string hex(uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  do {
    out.insert(out.begin(), kDigits[value % 16]);
    value /= 16;
  } while (value != 0);
  return "0x" + out;
}

std::string object_name(const Op& op) {
  const char* letter = "";
  switch (op.kind) {
    case Kind::kLaunch:
      letter = "g";
      break;
    case Kind::kGate:
    case Kind::kOpen:
      letter = "gate ";
      break;
    case Kind::kSyncDevice:
      letter = "device ";
      break;
    default:
      letter = "e";
  }
  return letter + std::to_string(op.object);
}

}  // namespace

bool is_stream_op(Kind kind) { return kind <= Kind::kDestroyStream; }
bool is_kernel(Kind kind) { return kind >= Kind::kFold && kind <= Kind::kCopyKernel; }
bool waits_on_host(Kind kind) { return kind >= Kind::kSyncStream && kind <= Kind::kPollEvent; }

const char* name_of(Kind kind) {
  static constexpr const char* kNames[] = {"copy",
                                           "fill",
                                           "fold kernel",
                                           "fold2 kernel",
                                           "axpy kernel",
                                           "copy kernel",
                                           "host function",
                                           "record",
                                           "wait",
                                           "pool allocation",
                                           "pool free",
                                           "graph launch",
                                           "gate",
                                           "stream destroy",
                                           "host write",
                                           "host read",
                                           "allocation",
                                           "free",
                                           "stream query",
                                           "event query",
                                           "stream synchronise",
                                           "event synchronise",
                                           "device synchronise",
                                           "event polling",
                                           "event renewal",
                                           "opening"};
  return kNames[static_cast<size_t>(kind)];
}

std::string text_of(const Program& program, const Op& op) {
  std::string out = name_of(op.kind);
  if (op.object != kNone) out += " " + object_name(op);
  if (op.bytes != 0) out += " of " + std::to_string(op.bytes) + " bytes";
  if (op.source != kNone) out += " from " + place(op.source, op.source_offset);
  if (op.destination != kNone)
    out += (op.source != kNone ? " to " : " ") + place(op.destination, op.destination_offset);
  if (op.kind == Kind::kFill || is_kernel(op.kind) || op.kind == Kind::kHostFold) {
    if (op.kind != Kind::kCopyKernel) out += " with " + hex(op.value);
  }
  if (op.stream != kNone) out += " on s" + std::to_string(op.stream);
  if (program.threads > 1) out += " by thread " + std::to_string(op.thread);
  return out;
}

void append_accesses(const Program& program, const Op& op, std::vector<Access>& out) {
  const auto destination = [&](bool at_call) {
    out.push_back(
        {op.destination, op.destination_offset, op.destination_offset + op.bytes, true, at_call, false});
  };
  const auto source = [&](bool at_call) {
    out.push_back({op.source, op.source_offset, op.source_offset + op.bytes, false, at_call, false});
  };
  const auto whole = [&](bool at_call) {
    out.push_back({op.destination, 0, program.memories[op.destination].bytes, true, at_call, true});
  };
  switch (op.kind) {
    case Kind::kCopy:
      source(program.memories[op.source].place == Place::kPageable);
      destination(false);
      break;
    case Kind::kFold2:
    case Kind::kAxpy:
    case Kind::kCopyKernel:
      source(false);
      destination(false);
      break;
    case Kind::kFill:
    case Kind::kFold:
    case Kind::kHostFold:
      destination(false);
      break;
    case Kind::kPoolAllocate:
    case Kind::kPoolFree:
      whole(false);
      break;
    case Kind::kAllocate:
    case Kind::kFree:
      whole(true);
      break;
    case Kind::kLaunch:
      for (const Op& node : program.graphs[op.object].body) append_accesses(program, node, out);
      break;
    case Kind::kHostRead:
      source(true);
      destination(true);
      break;
    case Kind::kHostWrite:
      destination(true);
      break;
    default:
      break;
  }
}

void write_data(uint64_t value, void* to, uint32_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  for (uint32_t at = 0; at < bytes; at += 8) {
    const uint64_t word = data_word(value, at / 8);
    std::memcpy(out + at, &word, std::min(8u, bytes - at));
  }
}

}  // namespace xhal::programs
