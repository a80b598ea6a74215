// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace xhal::mutation_test {

std::vector<long> numbers();

}  // namespace xhal::mutation_test
