// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/run.h"
#include "run/shard.h"
#include "run/subject.h"

namespace xhal::conformance {

using namespace ending;

namespace {

int list_checked(const Options& options) {
  const Level level = level_of(options.level, options.share_directory);
  const auto shard = chosen_shard(options.shard);
  // No driver is asked: what a level takes where it is claimed is listed.
  Claims claims;
  claims.claim(level.if_claimed);
  std::vector<const TestCase*> wanted;
  for (const TestCase* test : filtered(options.filters)) {
    if (shard && shard_of(test->id, shard->count) != shard->index) continue;
    if (level.all_claimed || belongs(*test, level, claims)) wanted.push_back(test);
  }
  if (wanted.empty() && !shard)
    stop(kExitNothing, fmt::format("level {} has none of the selected tests", level.name));
  if (options.list_format == "text") {
    for (const TestCase* test : wanted) print(stdout, "{}\n", test->id);
    return kExitOk;
  }
  nlohmann::json tests = nlohmann::json::array();
  for (const TestCase* test : wanted) {
    const auto names = [](const std::vector<uint32_t>& features) {
      nlohmann::json out = nlohmann::json::array();
      for (const uint32_t feature : features) out.push_back(feature_name(feature));
      return out;
    };
    nlohmann::json clauses = nlohmann::json::array();
    for (const Clause clause : test->definition->info.clauses) clauses.push_back(clause.id());
    nlohmann::json parameters = nlohmann::json::object();
    for (const Parameter& one : test->parameters.parameters) parameters[one.name] = one.value;
    tests.push_back({{"id", test->id},
                     {"area", test->definition->area},
                     {"clauses", clauses},
                     {"needs", names(test->needs())},
                     {"unless", names(test->unless())},
                     {"devices", test->definition->info.devices},
                     {"observes", test->definition->info.observes},
                     {"parameters", parameters}});
  }
  const nlohmann::json out = {{"schema", kListSchema}, {"tests", tests}};
  print(stdout, "{}\n", out.dump(2));
  return kExitOk;
}

}  // namespace

int list(Options options) {
  return ended([&] {
    complete(options);
    return list_checked(options);
  });
}

}  // namespace xhal::conformance
