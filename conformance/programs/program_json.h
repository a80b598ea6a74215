// SPDX-License-Identifier: Apache-2.0
// Programs on their way between a command and its workers; not for keeping.
#pragma once

#include <nlohmann/json.hpp>

#include "programs/generate.h"

namespace xhal::programs {

nlohmann::json to_json(const Program& program);
Program program_from_json(const nlohmann::json& json);
nlohmann::json to_json(const World& world);
World world_from_json(const nlohmann::json& json);

}  // namespace xhal::programs
