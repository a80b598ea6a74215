// SPDX-License-Identifier: Apache-2.0
// Mustache, as far as the report needs it: {{name}} and {{a.b}}, {{.}}, {{#list}}..{{/list}}, {{^none}}..{{/none}}. Every value is escaped for
// HTML; there is no way around that.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace xhal::conformance {

// Throws std::logic_error for a template that is malformed or names what `data` does not have: a defect, not somebody's input.
std::string rendered(std::string_view text, const nlohmann::json& data);

// What a page's content security policy says to allow its own script and no other.
std::string script_hash(std::string_view page);

}  // namespace xhal::conformance
