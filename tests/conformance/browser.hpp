// SPDX-License-Identifier: Apache-2.0
// A page as a browser sees it, where there is one: XHAL_CHROMIUM is empty where there is none.
#pragma once

#include <cstddef>
#include <string>

#include "conform.hpp"

namespace xhal::test {

struct Page {
  std::string dom;      // after the script has run
  std::string errors;   // what the console had to say
  size_t requests = 0;  // of the page, not of the browser for itself
};

// What the browser has of its own goes into the folder.
Page open_page(const TemporaryFolder& folder, const std::string& path, const std::string& fragment = "");

size_t count_of(const std::string& text, const std::string& part);

}  // namespace xhal::test
