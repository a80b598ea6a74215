// SPDX-License-Identifier: Apache-2.0
#include "run/describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/interfaces.h"
#include "run/subject.h"

namespace xhal::conformance {

using namespace ending;

namespace {

std::string joined(const std::vector<uint32_t>& features) {
  std::string text;
  for (const uint32_t feature : features) text += (text.empty() ? "" : ", ") + feature_name(feature);
  return text;
}

bool names(const TestCase& test, std::string_view clause) {
  const auto& clauses = test.definition->info.clauses;
  return std::ranges::any_of(clauses, [&](Clause one) { return one.id() == clause; });
}

void print_clause(const ClauseInfo& clause) {
  print(stdout, "{} ({})\n  {}\n", clause.id, clause.feature, clause.rule);
}

void print_test(const TestCase& test) {
  const TestInfo& info = test.definition->info;
  print(stdout, "{}\n  looks at: {}\n", test.id, info.observes);
  for (const Clause clause : info.clauses) print(stdout, "  {}: {}\n", clause.id(), clause_info(clause).rule);
  if (!test.needs().empty()) print(stdout, "  for devices that claim: {}\n", joined(test.needs()));
  if (!test.unless().empty()) print(stdout, "  for devices that do not claim: {}\n", joined(test.unless()));
  if (info.devices > 1) print(stdout, "  for drivers with {} devices\n", info.devices);
  if (*info.not_bit_exact != 0) print(stdout, "  without a digest: {}\n", info.not_bit_exact);
  print(stdout, "  runs again: xhal-conform --filter {}\n", shell_word(test.id));
}

int describe_clause(std::string_view id) {
  const auto* const found = std::ranges::find(kClauseIds, id);
  if (found == std::end(kClauseIds)) {
    stop(kExitUsage, fmt::format("{}: docs/spec has no such clause; xhal-conform --list --format json names "
                                 "those that tests judge",
                                 id));
  }
  print_clause(clause_info(static_cast<size_t>(found - std::begin(kClauseIds))));
  std::vector<const TestCase*> judges;
  for (const TestCase& test : checked_cases()) {
    if (names(test, id)) judges.push_back(&test);
  }
  print(stdout, "\n{} tests judge it{}\n", judges.size(), judges.empty() ? "" : ":");
  for (const TestCase* test : judges)
    print(stdout, "  {}\n    {}\n", test->id, test->definition->info.observes);
  return kExitOk;
}

}  // namespace

int describe(const std::string& name) {
  return ended([&] {
    if (name.starts_with("XHAL-")) return describe_clause(name);
    size_t found = 0;
    for (const TestCase& test : checked_cases()) {
      if (!glob_matches(name, test.id)) continue;
      print(stdout, "{}", found++ == 0 ? "" : "\n");
      print_test(test);
    }
    if (found == 0)
      stop(kExitUsage, fmt::format("{}: neither a clause nor a test; --list shows tests", name));
    return static_cast<int>(kExitOk);
  });
}

int describe_level(const std::string& name_or_path) {
  return ended([&] {
    const Level level = level_of(name_or_path, default_share_directory());
    print(stdout, "{}: {}\n  features: {}{}\n", level.name, level.title, joined(level.features),
          level.all_claimed ? ", and all that are claimed" : "");
    if (!level.if_claimed.empty()) print(stdout, "  where they are claimed: {}\n", joined(level.if_claimed));
    print_interfaces(level);
    return static_cast<int>(kExitOk);
  });
}

}  // namespace xhal::conformance
