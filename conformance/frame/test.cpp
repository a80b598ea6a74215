// SPDX-License-Identifier: Apache-2.0
#include "frame/test.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <set>

namespace xhal::conformance {

namespace {

// A function's local, so that it exists before any registration of another file. Never freed: registrations point into it.
std::vector<std::unique_ptr<Definition>>& definitions() {
  static auto* all = new std::vector<std::unique_ptr<Definition>>;
  return *all;
}

std::vector<uint32_t> joined(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  std::vector<uint32_t> out = a;
  for (const uint32_t feature : b) {
    if (std::find(out.begin(), out.end(), feature) == out.end()) out.push_back(feature);
  }
  return out;
}

bool plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("_.-/=,+", c) != nullptr;
}

}  // namespace

Cases grid(const std::vector<Axis>& axes) {
  Cases cases(1);
  for (const Axis& axis : axes) {
    Cases longer;
    longer.reserve(cases.size() * axis.values.size());
    for (const Case& shorter : cases) {
      for (const Value& value : axis.values) {
        Case next = shorter;
        next.parameters.push_back({axis.name, value.text});
        next.needs = joined(next.needs, value.needs);
        longer.push_back(std::move(next));
      }
    }
    cases = std::move(longer);
  }
  return cases;
}

std::vector<uint32_t> TestCase::needs() const { return joined(definition->info.needs, parameters.needs); }
std::vector<uint32_t> TestCase::unless() const { return joined(definition->info.unless, parameters.unless); }

std::vector<TestCase> all_cases() {
  std::vector<TestCase> out;
  for (const auto& definition : definitions()) {
    for (Case& one : definition->cases == nullptr ? Cases(1) : definition->cases()) {
      std::string id = definition->area + "." + definition->name;
      char separator = '/';
      for (const Parameter& parameter : one.parameters) {
        id += separator + parameter.name + "=" + parameter.value;
        separator = ',';
      }
      out.push_back({std::move(id), definition.get(), std::move(one)});
    }
  }
  std::sort(out.begin(), out.end(), [](const TestCase& a, const TestCase& b) { return a.id < b.id; });
  return out;
}

std::vector<std::string> registration_errors(const std::vector<TestCase>& cases) {
  std::vector<std::string> errors;
  for (size_t i = 0; i < cases.size(); ++i) {
    const TestCase& test = cases[i];
    const std::string where =
        std::string(test.definition->file) + ":" + std::to_string(test.definition->line) + ": ";
    if (i > 0 && cases[i - 1].id == test.id) errors.push_back(where + "the id " + test.id + " is used twice");
    if (test.definition->info.clauses.empty()) errors.push_back(where + test.id + " names no clause");
    if (std::strlen(test.definition->info.observes) == 0)
      errors.push_back(where + test.id + " does not say what it observes");
    if (!std::all_of(test.id.begin(), test.id.end(), plain)) {
      errors.push_back(where + test.id + " has a character that an id must not have");
    }
  }
  return errors;
}

Registration::Registration(const char* area, const char* name, Cases (*cases)(), TestInfo info,
                           void (*function)(Context&), const char* file, int line) {
  definitions().push_back(
      std::make_unique<Definition>(Definition{area, name, std::move(info), cases, function, file, line}));
}

}  // namespace xhal::conformance
