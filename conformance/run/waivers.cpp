// SPDX-License-Identifier: Apache-2.0
#include "run/waivers.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using namespace ending;

namespace {

[[noreturn]] void fail(const std::string& path, uint32_t line, const std::string& text) {
  stop(kExitUsage, fmt::format("waivers {}:{}: {}; correct the file of waivers", path, line, text));
}

class Entry {
 public:
  Entry(const std::string& path, const toml::node& node) : path_(path), line_(node.source().begin.line) {
    if (!node.is_table()) wrong("an entry is a table, [[waiver]]");
    table_ = node.as_table();
    constexpr std::string_view kKnown[] = {"test",    "reason", "link",   "reproducer",
                                           "expires", "driver", "device", "message"};
    for (const auto& [key, value] : *table_) {
      if (std::ranges::find(kKnown, key.str()) == std::end(kKnown))
        fail(path_, value.source().begin.line, fmt::format("the key '{}' is unknown", key.str()));
    }
  }

  Waiver read() const {
    Waiver out;
    out.test = required("test");
    out.reason = required("reason");
    out.message = required("message");
    out.driver = text("driver").value_or("*");
    out.device = text("device").value_or("*");
    const auto* const expires = table_->get("expires");
    if (expires == nullptr || !expires->is_date())
      wrong("'expires' must be a day, as in expires = 2027-05-31");
    const toml::date day = **expires->as_date();
    out.expires = fmt::format("{:04}-{:02}-{:02}", day.year, day.month, day.day);
    read_evidence(out);
    const auto matched = std::ranges::count_if(
        checked_cases(), [&](const TestCase& test) { return glob_matches(out.test, test.id); });
    if (static_cast<size_t>(matched) > kMostTestsAWaiver) {
      wrong(
          fmt::format("'{}' matches {} tests, an entry may excuse {}", out.test, matched, kMostTestsAWaiver));
    }
    return out;
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const { fail(path_, line_, what); }

  std::optional<std::string> text(const char* key) const {
    const toml::node* const node = table_->get(key);
    if (node == nullptr) return std::nullopt;
    auto value = node->value<std::string>();
    if (!value || value->empty())
      fail(path_, node->source().begin.line, fmt::format("'{}' must be a text that is not empty", key));
    return value;
  }

  std::string required(const char* key) const {
    const auto value = text(key);
    if (!value) wrong(fmt::format("'{}' is missing", key));
    return *value;
  }

  // Somebody else must be able to see that the failure is known.
  void read_evidence(Waiver& out) const {
    const auto link = text("link");
    const auto reproducer = text("reproducer");
    if (link.has_value() == reproducer.has_value())
      wrong(
          "give the 'link' of the public bug, or where there is none a 'reproducer', a file in the vendor's "
          "API");
    if (link && !link->starts_with("https://") && !link->starts_with("http://"))
      wrong("'link' must begin with https:// or http://");
    std::error_code error;
    if (reproducer && !fs::is_regular_file(fs::path(path_).parent_path() / *reproducer, error))
      wrong(fmt::format("the reproducer {} is no file beside the file of waivers", *reproducer));
    out.link = link.value_or("");
    out.reproducer = reproducer.value_or("");
  }

  const std::string& path_;
  const uint32_t line_;
  const toml::table* table_ = nullptr;
};

bool says(const TestRecord& record, const std::string& text) {
  return record.result.message.find(text) != std::string::npos ||
         std::ranges::any_of(record.result.failures, [&](const Failure& failure) {
           return to_string(failure).find(text) != std::string::npos;
         });
}

// The tests that an entry is about and that were run.
void look_at(Waiver& waiver, size_t entry, Report& report) {
  std::string passes;
  std::string says_otherwise;
  std::set<std::string> seen;
  for (TestRecord& record : report.tests) {
    if (!glob_matches(waiver.test, record.test->id)) continue;
    seen.insert(record.test->id);
    const Outcome outcome = record.result.outcome;
    if (outcome == Outcome::kPassed) {
      passes = record.test->id;
    } else if (is_bad(outcome) && says(record, waiver.message) && !record.waiver) {
      record.waiver = entry;
      waiver.tests.push_back(record.test->id);
    } else if (is_bad(outcome) && !record.waiver) {
      says_otherwise = record.test->id;
    }
  }
  const bool all_seen = std::ranges::all_of(checked_cases(), [&](const TestCase& test) {
    return !glob_matches(waiver.test, test.id) || seen.contains(test.id);
  });
  if (!passes.empty()) {
    waiver.state = "passing";
    waiver.problem = fmt::format("{} passes; take the entry away", passes);
  } else if (!waiver.tests.empty()) {
    waiver.state = "used";
  } else if (!says_otherwise.empty()) {
    waiver.problem = fmt::format("{} went wrong without saying '{}'", says_otherwise, waiver.message);
  } else if (!all_seen) {
    waiver.state = "not looked at";
  } else {
    waiver.problem = seen.empty() ? "it matches no test; take the entry away"
                                  : "its tests do not apply to the device; take the entry away";
  }
}

}  // namespace

std::vector<Waiver> load_waivers(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    stop(kExitUsage, fmt::format("waivers {}: this is no file; name one", path));
  toml::table file;
  try {
    file = toml::parse_file(path);
  } catch (const toml::parse_error& broken) {
    fail(path, broken.source().begin.line, std::string(broken.description()));
  }
  for (const auto& [key, value] : file) {
    const uint32_t line = value.source().begin.line;
    if (key != "schema" && key != "waiver")
      fail(path, line, fmt::format("the key '{}' is unknown", key.str()));
    if (key == "schema" && value.value_or(int64_t{0}) != 1) fail(path, line, "'schema' must be 1");
    if (key == "waiver" && !value.is_array()) fail(path, line, "an entry begins with [[waiver]]");
  }
  std::vector<Waiver> out;
  if (const toml::array* const entries = file["waiver"].as_array(); entries != nullptr) {
    for (const toml::node& node : *entries) out.push_back(Entry(path, node).read());
  }
  return out;
}

void apply_waivers(Report& report) {
  for (TestRecord& record : report.tests) record.waiver.reset();
  const std::string today = report.started.substr(0, 10);
  for (size_t i = 0; i < report.waivers.size(); ++i) {
    Waiver& waiver = report.waivers[i];
    waiver.state = "unused";
    waiver.problem.clear();
    waiver.tests.clear();
    if (!glob_matches(waiver.driver, report.driver.value("name", "")) ||
        !glob_matches(waiver.device, report.device.value("name", ""))) {
      waiver.state = "not for this device";
    } else if (waiver.expires <= today) {
      waiver.state = "expired";
      waiver.problem = fmt::format("it expired on {}; look at its reason again", waiver.expires);
    } else {
      look_at(waiver, i, report);
    }
  }
}

}  // namespace xhal::conformance
