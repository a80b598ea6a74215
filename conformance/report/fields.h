// SPDX-License-Identifier: Apache-2.0
// Looking at a JSON document that somebody else may have written, before anything is read from it without asking.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>

namespace xhal::conformance {

// A document that is not what it was taken for.
struct Malformed {
  std::string what;
};

enum class Kind { kText, kNumber, kBool, kObject, kList, kTexts };

struct Field {
  const char* name;
  Kind kind;
};

// Throws Malformed for the first field that is missing or of another kind.
void expect(const nlohmann::json& object, const std::string& where, std::initializer_list<Field> fields);

// The JSON in the file, `what` for messages: "report". Stops with the user's mistake.
nlohmann::json parsed(const char* what, const std::string& path);

}  // namespace xhal::conformance
