// SPDX-License-Identifier: Apache-2.0
#include "programs/program_json.h"

namespace xhal::programs {

namespace {

nlohmann::json ops_json(const std::vector<Op>& ops) {
  nlohmann::json out = nlohmann::json::array();
  for (const Op& op : ops) {
    out.push_back({static_cast<uint32_t>(op.kind), op.thread, op.width, op.stream, op.object, op.destination,
                   op.destination_offset, op.source, op.source_offset, op.bytes, op.value});
  }
  return out;
}

std::vector<Op> ops_of(const nlohmann::json& json) {
  std::vector<Op> out;
  for (const auto& one : json) {
    Op op;
    op.kind = static_cast<Kind>(one.at(0).get<uint32_t>());
    op.thread = one.at(1).get<uint8_t>();
    op.width = one.at(2).get<uint8_t>();
    op.stream = one.at(3).get<uint32_t>();
    op.object = one.at(4).get<uint32_t>();
    op.destination = one.at(5).get<uint32_t>();
    op.destination_offset = one.at(6).get<uint32_t>();
    op.source = one.at(7).get<uint32_t>();
    op.source_offset = one.at(8).get<uint32_t>();
    op.bytes = one.at(9).get<uint32_t>();
    op.value = one.at(10).get<uint64_t>();
    out.push_back(op);
  }
  return out;
}

}  // namespace

nlohmann::json to_json(const Program& program) {
  nlohmann::json memories = nlohmann::json::array();
  for (const Memory& memory : program.memories) {
    memories.push_back({static_cast<uint32_t>(memory.place), static_cast<uint32_t>(memory.origin),
                        memory.device, memory.bytes, memory.pool});
  }
  nlohmann::json graphs = nlohmann::json::array();
  for (const Graph& graph : program.graphs)
    graphs.push_back({{"device", graph.device}, {"forks", graph.forks}, {"body", ops_json(graph.body)}});
  return {{"seed", program.seed},        {"threads", program.threads}, {"devices", program.devices},
          {"streams", program.streams},  {"events", program.events},   {"pools", program.pools},
          {"memories", memories},        {"graphs", graphs},           {"gates", program.gates},
          {"ops", ops_json(program.ops)}};
}

Program program_from_json(const nlohmann::json& json) {
  Program out;
  out.seed = json.at("seed");
  out.threads = json.at("threads");
  out.devices = json.at("devices");
  out.streams = json.at("streams").get<std::vector<uint32_t>>();
  out.events = json.at("events").get<std::vector<uint32_t>>();
  out.pools = json.at("pools").get<std::vector<uint32_t>>();
  out.gates = json.at("gates");
  for (const auto& one : json.at("memories")) {
    out.memories.push_back({static_cast<Place>(one.at(0).get<uint32_t>()),
                            static_cast<Origin>(one.at(1).get<uint32_t>()), one.at(2).get<uint32_t>(),
                            one.at(3).get<uint32_t>(), one.at(4).get<uint32_t>()});
  }
  for (const auto& one : json.at("graphs"))
    out.graphs.push_back({one.at("device"), one.at("forks"), ops_of(one.at("body"))});
  out.ops = ops_of(json.at("ops"));
  return out;
}

nlohmann::json to_json(const World& world) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& device : world.devices)
    out.push_back({device.kernels, device.pool, device.graph, device.free_waits, device.copy_blocks});
  return out;
}

World world_from_json(const nlohmann::json& json) {
  World out;
  for (const auto& one : json) {
    out.devices.push_back({one.at(0).get<bool>(), one.at(1).get<bool>(), one.at(2).get<bool>(),
                           one.at(3).get<bool>(), one.at(4).get<uint32_t>()});
  }
  return out;
}

}  // namespace xhal::programs
