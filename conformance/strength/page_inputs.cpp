// SPDX-License-Identifier: Apache-2.0
// Reading what the page is made from, and refusing what it cannot be made from.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <stdexcept>

#include "report/output_file.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"
#include "strength/page.h"
#include "strength/reason_list.h"

namespace xhal::conformance {

using namespace ending;
using nlohmann::json;

namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& text) {
  stop(kExitUsage, fmt::format("{}: {}", path, text));
}

// What a reader of the page relies on; the rest of a schema is its writer's business.
void check(const std::string& path, const json& file, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!file.contains(key)) refuse(path, fmt::format("has no '{}'; make it again with this version", key));
  }
  if (file.value("incomplete", false)) refuse(path, "was interrupted; measure it again");
}

// True when a shard that is already there names the same thing. What does not apply was not measured: the single drivers and their mixes name
// it both.
bool repeats(const std::vector<json>& known, const json& file, const char* list, const char* key) {
  for (const json& other : known) {
    for (const json& mine : file.at(list)) {
      if (mine.value("verdict", "") == "not applicable") continue;
      if (std::ranges::any_of(other.at(list), [&](const json& one) { return one.at(key) == mine.at(key); }))
        return true;
    }
  }
  return false;
}

// Of a run over a driver with nothing behind it, what the page tells: the required tests that pass.
json hollow_summary(const std::string& path, const json& run) {
  check(path, run, {"tests", "driver", "device", "suite", "level", "verdict", "seed", "seconds"});
  const std::string name = run.at("driver").value("name", "");
  if (name != "idle" && name != "refusing") {
    refuse(
        path,
        fmt::format("judges the driver '{}'; of runs the page shows those over 'idle' and 'refusing'", name));
  }
  size_t required = 0;
  json passed = json::array();
  for (const json& test : run.at("tests")) {
    if (!test.value("required", false)) continue;
    ++required;
    if (test.at("outcome") == "passed") passed.push_back(test.at("id"));
  }
  json out = {{"schema", kHollowSchema}, {"required", required}, {"passed", passed}};
  for (const char* key : {"suite", "level", "verdict", "seed", "seconds"}) out[key] = run.at(key);
  out["driver"] = {{"name", name}, {"version", run.at("driver").value("version", "")}};
  out["device"] = {{"name", run.at("device").value("name", "")}};
  return out;
}

void add(const std::string& path, json file, StrengthInputs& to) {
  const std::string schema = file.value("schema", "");
  const auto put = [&](std::vector<json>& list, const char* things, const char* key) {
    if (repeats(list, file, things, key))
      refuse(path, "repeats what another of the files has measured; give each shard once");
    list.push_back(std::move(file));
  };
  if (schema == "xhal-conform-faults/1") {
    check(path, file,
          {"faults", "suite", "driver", "device", "seed", "seeds", "options", "localisation",
           "clauses_without_fault"});
    const bool all_tests = file.at("options").value("all_tests", false);
    if (all_tests) {
      for (const json& fault : file.at("faults")) check(path, fault, {"failures"});
    }
    put(all_tests ? to.matrix : to.faults, "faults", "name");
  } else if (schema == "xhal-conform-generated/1") {
    check(path, file, {"faults", "suite", "driver", "device", "seed", "hows"});
    put(to.generated, "faults", "name");
  } else if (schema == "xhal-mutation/1") {
    check(path, file, {"mutants", "suite_commit", "seed", "shard"});
    put(to.mutation, "mutants", "id");
  } else if (schema == "xhal-conform-variants/1") {
    check(path, file, {"variants", "suite", "driver", "seed", "test_executions", "test_failures"});
    put(to.variants, "variants", "name");
  } else if (schema == "xhal-conform-fuzz/1") {
    check(path, file, {"totals", "options", "suite", "driver", "seed"});
    if (!file.at("options").value("drop_waits", false))
      refuse(path,
             "is of programs whose waits are all there; what the page shows is measured with --drop-waits");
    to.dropped_waits.push_back(std::move(file));
  } else if (schema == kHollowSchema || schema == "xhal-conform/1") {
    if (schema == "xhal-conform/1") file = hollow_summary(path, file);
    check(path, file, {"passed", "required", "driver", "suite", "level", "verdict"});
    to.hollow.push_back(std::move(file));
  } else {
    refuse(path,
           fmt::format("its schema is '{}'; the page is made from results of xhal-conform faults, variants, "
                       "fuzz --drop-waits, of mutation, and of runs over 'idle' and 'refusing'",
                       one_line(schema)));
  }
}

json read(const std::string& path) {
  std::ifstream in(path);
  if (!in) refuse(path, "cannot be read");
  json file = json::parse(in, nullptr, false);
  if (!file.is_object()) refuse(path, "is no JSON object");
  return file;
}

void put_out(const std::string& path, const std::string& text) {
  try {
    OutputFile(path).commit(text);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
}

}  // namespace

std::vector<HollowReason> read_hollow_reasons(const std::string& path) {
  std::vector<HollowReason> out;
  try {
    for (const ReasonedEntry& entry : read_reasons(path, "passes", "tests")) {
      const auto driver = entry.words.find("driver");
      HollowReason one = {driver == entry.words.end() ? "" : driver->second, {}, entry.reason};
      if (one.driver != "idle" && one.driver != "refusing")
        wrong_reasons(path, entry.line, "'driver' is idle or refusing");
      for (const ReasonedThing& test : entry.things) one.tests.push_back(test.texts.front());
      out.push_back(std::move(one));
    }
  } catch (const std::runtime_error& error) {
    stop(kExitUsage, error.what());
  }
  return out;
}

int write_strength_page(const StrengthPageOptions& options) {
  return ended([&] {
    if (options.summary) {
      if (options.files.size() != 1) stop(kExitUsage, "--summary: name one report of a run");
      const json run = read(options.files.front());
      if (run.value("schema", "") != "xhal-conform/1") refuse(options.files.front(), "is no report of a run");
      put_out(options.output, hollow_summary(options.files.front(), run).dump(1) + "\n");
      return static_cast<int>(kExitOk);
    }
    StrengthInputs inputs;
    for (const std::string& path : options.files) {
      json file = read(path);
      try {
        add(path, std::move(file), inputs);
      } catch (const json::exception& broken) {
        refuse(path, fmt::format("is not as its schema says: {}", broken.what()));
      }
    }
    const auto reasons = read_hollow_reasons(
        options.reasons.empty() ? default_share_directory() + "/strength/hollow.toml" : options.reasons);
    const Unbroken unbroken(options.unbroken.empty() ? default_share_directory() + "/faults/unbroken.toml"
                                                     : options.unbroken);
    std::string page;
    try {
      page = strength_page(inputs, reasons, unbroken);
    } catch (const json::exception& broken) {
      stop(kExitUsage, fmt::format("one of the files is not as its schema says: {}", broken.what()));
    }
    put_out(options.output, page);
    return static_cast<int>(kExitOk);
  });
}

}  // namespace xhal::conformance
