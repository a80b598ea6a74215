// SPDX-License-Identifier: Apache-2.0
#include "bench/command/row_task.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "bench/runner/bench.hpp"
#include "frame/trail.h"
#include "report/report.h"
#include "run/worker.h"

namespace xhal::bench {
namespace {

using nlohmann::json;

constexpr const char* kTask = "bench_row";
constexpr const char* kAnswer = "bench_row_done";

// JSON has no NaN: null stands for what did not count.
json numbers(const std::vector<double>& values) {
  json out = json::array();
  for (const double value : values) out.push_back(std::isfinite(value) ? json(value) : json(nullptr));
  return out;
}

std::vector<double> numbers_of(const json& values) {
  std::vector<double> out;
  out.reserve(values.size());
  for (const json& value : values) out.push_back(value.is_null() ? kUncounted : value.get<double>());
  return out;
}

template <class Series>
json series_json(const Series& all) {
  json out = json::array();
  for (const auto& one : all) out.push_back(numbers(one));
  return out;
}

std::vector<std::vector<double>> series_of(const json& all) {
  std::vector<std::vector<double>> out;
  for (const json& one : all) out.push_back(numbers_of(one));
  return out;
}

const RowInfo* row_of(const std::string& name) {
  const auto& rows = all_rows();
  const auto found = std::ranges::find_if(rows, [&](const RowInfo& row) { return row.name() == name; });
  return found == rows.end() ? nullptr : &*found;
}

json to_json(const RowAnswer& answer) {
  json out = {{"what", kAnswer}, {"state", static_cast<int>(answer.state)}, {"why", answer.why}};
  if (answer.state != RowState::kMeasured) return out;
  out["sides"] = answer.samples.sides;
  out["units"] = answer.samples.units;
  out["ns"] = series_json(answer.samples.ns);
  out["values"] = numbers(answer.samples.values);
  out["ratios"] = series_json(answer.samples.ratios);
  out["others_s"] = answer.samples.contention.others_s;
  out["passed_s"] = answer.samples.contention.passed_s;
  for (const Comparison& comparison : answer.comparisons) {
    out["comparisons"].push_back(
        {{"reference", comparison.reference}, {"less_is_better", comparison.better == Better::kLess}});
  }
  return out;
}

RowAnswer answer_of(const json& message) {
  RowAnswer out;
  out.state = static_cast<RowState>(message.at("state").get<int>());
  out.why = message.at("why");
  if (out.state != RowState::kMeasured) return out;
  message.at("sides").get_to(out.samples.sides);
  message.at("units").get_to(out.samples.units);
  out.samples.ns = series_of(message.at("ns"));
  out.samples.values = numbers_of(message.at("values"));
  out.samples.ratios = series_of(message.at("ratios"));
  out.samples.contention = {message.at("others_s"), message.at("passed_s")};
  for (const json& comparison : message.value("comparisons", json::array())) {
    out.comparisons.push_back({comparison.at("reference"),
                               {},
                               comparison.at("less_is_better").get<bool>() ? Better::kLess : Better::kMore});
  }
  return out;
}

void do_row(const json& message, conformance::Session& session, const conformance::WorkerTell& tell) {
  // Of the worker's one session.
  static std::unique_ptr<Bench> bench;
  if (bench == nullptr) bench = std::make_unique<Bench>(session, message.at("kernels"));
  RowRequest request;
  request.row = row_of(message.at("row"));
  request.plan.seconds = message.at("seconds");
  request.plan.block_ns = message.at("block_ns");
  request.plan.seed = message.at("seed");
  request.plan.planted = message.at("planted");
  RowAnswer answer;
  if (request.row == nullptr) {
    answer.state = RowState::kFailed;
    answer.why = "unknown row " + message.at("row").get<std::string>();
  } else {
    conformance::begin_stage("row " + request.row->name());
    answer = measure_here(*bench, request);
  }
  tell(to_json(answer));
}

}  // namespace

void add_row_task() {
  conformance::add_worker_task(
      kTask, [](const json& message, conformance::Session& session, const conformance::RunSettings&,
                const conformance::WorkerTell& tell) { do_row(message, session, tell); });
}

RowAnswer measure_here(Bench& bench, const RowRequest& request) {
  RowAnswer out;
  try {
    const ProcessorTime begin = processor_time();
    const Row row = request.row->make(bench);
    out.samples = measure(row, request.plan);
    out.samples.contention = contention_since(begin);
    out.comparisons = row.comparisons;
    out.state = RowState::kMeasured;
  } catch (const NotHere& reason) {
    out.state = RowState::kNotHere;
    out.why = conformance::one_line(reason.what());
  } catch (const std::exception& error) {
    out.state = RowState::kFailed;
    out.why = conformance::one_line(error.what());
  }
  return out;
}

RowAnswer ask_for_row(conformance::TaskProcess& worker, const RowRequest& request) {
  RowAnswer out;
  const auto ending = worker.ask({{"do", kTask},
                                  {"row", request.row->name()},
                                  {"seconds", request.plan.seconds},
                                  {"block_ns", request.plan.block_ns},
                                  {"seed", request.plan.seed},
                                  {"planted", request.plan.planted},
                                  {"kernels", request.kernel_directory}},
                                 kAnswer, [&](const json& message) {
                                   if (message.value("what", "") == kAnswer) out = answer_of(message);
                                 });
  using End = conformance::TaskProcess::End;
  out.interrupted = ending.end == End::kInterrupted;
  if (ending.end == End::kDone) return out;
  out.state = out.interrupted ? RowState::kSkipped : RowState::kCrashed;
  out.why = ending.text;
  return out;
}

}  // namespace xhal::bench
