// SPDX-License-Identifier: Apache-2.0
#include "run/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "build_info.h"
#include "report/console.h"
#include "report/document.h"
#include "report/report_files.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/identity.h"
#include "run/subject.h"
#include "run/verdict.h"

namespace xhal::conformance {

using namespace ending;

namespace {

struct Part {
  std::string path;
  nlohmann::json json;
  Report report;
};

[[noreturn]] void cannot(const std::string& why) { stop(kExitInternal, "cannot merge: " + why); }

Part read_part(const std::string& path) {
  Part out{path, read_report(path), {}};
  const nlohmann::json& suite = out.json["suite"];
  if (suite["version"] != build::version() || suite["commit"] != build::commit()) {
    cannot(fmt::format("{} was made by suite {} commit {}, this is {} commit {}", path,
                       suite["version"].get<std::string>(), suite["commit"].get<std::string>(),
                       build::version(), build::commit()));
  }
  try {
    out.report = report_from_json(out.json);
  } catch (const nlohmann::json::exception& error) {
    stop(kExitUsage, fmt::format("report {}: {}", path, error.what()));
  } catch (const std::invalid_argument& error) {
    cannot(fmt::format("{}: {}", path, error.what()));
  }
  if (!out.report.shard) cannot(fmt::format("{} is no shard, but a whole run", path));
  if (out.report.incomplete) {
    cannot(fmt::format("{} was interrupted and has {} of its tests not run; run that shard again", path,
                       out.report.not_run.size()));
  }
  return out;
}

void expect_one_run(const std::vector<Part>& parts) {
  const Part& first = parts.front();
  const unsigned count = first.report.shard->count;
  std::map<unsigned, std::string> files;
  for (const Part& part : parts) {
    const std::string differs = difference(first.json, part.json);
    if (!differs.empty()) cannot(fmt::format("{} and {} differ: {}", first.path, part.path, differs));
    if (part.report.shard->count != count) {
      cannot(fmt::format("{} is one of {} shards and {} one of {}", first.path, count, part.path,
                         part.report.shard->count));
    }
    const auto [place, fresh] = files.emplace(part.report.shard->index, part.path);
    if (!fresh) {
      cannot(fmt::format("{} and {} are both shard {} of {}", place->second, part.path,
                         part.report.shard->index, count));
    }
  }
  for (unsigned index = 1; index <= count; ++index) {
    if (!files.contains(index)) cannot(fmt::format("shard {} of {} is missing", index, count));
  }
}

// Every selected test once, and where its id puts it.
void expect_all_tests(const std::vector<Part>& parts, const std::vector<const TestCase*>& selected) {
  std::map<const TestCase*, const Part*> seen;
  for (const Part& part : parts) {
    for (const TestRecord& record : part.report.tests) {
      const auto [place, fresh] = seen.emplace(record.test, &part);
      if (!fresh)
        cannot(fmt::format("{} is in {} and in {}", record.test->id, place->second->path, part.path));
      const unsigned home = shard_of(record.test->id, part.report.shard->count);
      if (home != part.report.shard->index)
        cannot(fmt::format("{} is in {}, but belongs to shard {}", record.test->id, part.path, home));
    }
  }
  for (const TestCase* test : selected) {
    if (seen.erase(test) == 0) {
      const unsigned home = shard_of(test->id, parts.front().report.shard->count);
      cannot(fmt::format("{} is missing in shard {}", test->id, home));
    }
  }
  if (!seen.empty()) {
    cannot(fmt::format("{} in {} is no test that the level and the filters select", seen.begin()->first->id,
                       seen.begin()->second->path));
  }
}

Report merged(std::vector<Part>& parts) {
  Report out = parts.front().report;
  out.shard.reset();
  out.shards.clear();
  out.tests.clear();
  out.seconds = 0;
  out.resumed = 0;
  for (Part& part : parts) {
    Report& report = part.report;
    out.shards.push_back({report.shard->index, report.seconds, report.started,
                          report.device.value("uuid", ""), report.environment});
    out.started = std::min(out.started, report.started);
    out.seconds += report.seconds;
    out.resumed += report.resumed;
    std::ranges::move(report.tests, std::back_inserter(out.tests));
  }
  return out;
}

int merge_checked(const MergeOptions& options) {
  std::vector<Part> parts;
  for (const std::string& path : options.shards) parts.push_back(read_part(path));
  std::ranges::sort(parts, {}, [](const Part& part) { return part.report.shard->index; });
  expect_one_run(parts);
  const std::string share = default_share_directory();
  const Level level = level_of(parts.front().report.level, share);
  const Claims claims = claims_of(parts.front().report.device, parts.front().report.device_count);
  expect_all_tests(parts, selected_tests(parts.front().report.filters, level, claims));
  ReportFiles files({"json=" + options.out}, "", "");
  Report report = merged(parts);
  report.allow_waivers = options.allow_waivers;
  conclude(report, level, claims, share);
  files.write({json_report(report)});
  Console(files.take_stdout() ? stderr : stdout, {}).summary(report);
  return exit_code_of(report);
}

}  // namespace

int merge(const MergeOptions& options) {
  return ended([&] { return merge_checked(options); });
}

}  // namespace xhal::conformance
