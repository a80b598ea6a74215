// SPDX-License-Identifier: Apache-2.0
#include "browser.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace xhal::test {

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

Page open_page(const TemporaryFolder& folder, const std::string& path, const std::string& fragment) {
  const std::string log = folder.file("net.json");
  Program browser({XHAL_CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--disable-background-networking", "--disable-component-update",
                   "--user-data-dir=" + folder.file("profile"),
                   // Whatever is asked for outside fails at once, and is in the log.
                   "--proxy-server=127.0.0.1:9", "--log-net-log=" + log, "--enable-logging=stderr",
                   "--dump-dom", "file://" + path + fragment},
                  {});
  Page page;
  EXPECT_EQ(browser.wait(), 0) << browser.err();
  page.dom = browser.out();
  std::istringstream in(browser.err());
  for (std::string line; std::getline(in, line);) {
    if (line.find("CONSOLE") != std::string::npos) page.errors += line + "\n";
  }
  const std::string net = read_text(log);
  EXPECT_NE(net.find("\"initiator\""), std::string::npos) << "the log tells nothing";
  page.requests = count_of(net, "\"initiator\":\"") - count_of(net, "\"initiator\":\"not an origin\"");
  return page;
}

}  // namespace xhal::test
