// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/text.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

using Lines = std::vector<std::string>;

TEST(Messages, AreOneCleanLineWhateverBytesComeIn) {
  XHAL_CLAUSE("XHAL-LOADER-44");
  EXPECT_EQ(printable("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable(std::string("a\0b\n\r\t\x1b[31m\x7f", 12)), "a\\x00b\\x0a\\x0d\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\xff\xc0\xaf\xed\xa0\x80"), "\\xff\\xc0\\xaf\\xed\\xa0\\x80");
  EXPECT_EQ(printable("\xc2\x9b\xc2\xa0"), "\\xc2\\x9b\xc2\xa0") << "C1 controls move a terminal's cursor";
  EXPECT_EQ(printable("\xe2\x80\xae\xe2\x80\xa8\xe2\x81\xa6"),
            "\\xe2\\x80\\xae\\xe2\\x80\\xa8\\xe2\\x81\\xa6")
      << "so do these";
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable("abcdef", 4), "abcd...");
  EXPECT_EQ(printable("a\xc3\xa9", 2), "a...");
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string bytes = {static_cast<char>(first), static_cast<char>(second), 'x'};
      const std::string line = printable(bytes);
      EXPECT_EQ(printable(line), line);
    }
  }
}

TEST(Messages, HostileNamesAndContentsStayInTheirLine) {
  XHAL_CLAUSE("XHAL-LOADER-44");
  const test::TemporaryFolder root;
  const std::string names[] = {"line\nbreak", "\x1b[2Jclear", "\xff\xfe", "\xe2\x80\xaetxt", "tab\t"};
  std::vector<std::string> paths;
  std::string list;
  for (const std::string& name : names) {
    test::write_file(root / (name + ".json"), "{\"" + name + "\": 1, \"" + name + "\": 2}");
    test::write_file(root / (name + ".so"), name);
    test::write_file(root / (name + "/in.json"),
                     test::manifest_text("sim", {{"library", "\"no\\u000asuch\\u001blibrary\""}}));
    paths.push_back(root / (name + ".json"));
    paths.push_back(root / (name + ".so"));
    paths.push_back(root / ("missing" + name + ".so"));
    list += ":" + (root / name) + ":" + (root / (name + ".json")) + ":" + (root / ("missing" + name));
  }
  Request request = test::explicit_request(paths);
  request.selection = {"\n", "\x1b[2J", "-\xff"};
  // find_checked looks at every message.
  const Found found = test::find_checked(
      request, test::bare_environment({{"XHAL_DRIVER_PATH", list}, {"HOME", root / "home\n"}}));
  EXPECT_GE(found.candidates.size(), 25u);
  EXPECT_TRUE(found.selected.empty());
  EXPECT_NE(found.result, XHAL_SUCCESS);
}

TEST(Messages, TheNearestWordIsOffered) {
  const Lines known = {"sim", "cuda", "hip", "opencl", "level_zero"};
  EXPECT_EQ(nearest("smi", known), "sim");
  EXPECT_EQ(nearest("cdua", known), "cuda");
  EXPECT_EQ(nearest("levelzero", known), "level_zero");
  EXPECT_EQ(nearest("xyz", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(100000, 'x'), known), std::nullopt);
  EXPECT_EQ(did_you_mean("simm", known), " (did you mean 'sim'?)");
  EXPECT_EQ(did_you_mean("torch", known), "");
}

TEST(Variables, MistypedOnesAreNamedWithTheNearest) {
  XHAL_CLAUSE("XHAL-LOADER-51");
  const Environment environment = test::bare_environment();
  const Lines known = {"sim", "trace"};
  const auto warn = [&](const Lines& set) { return mistyped_variables(environment, set, known); };
  EXPECT_EQ(warn({"XHAL_DRIVERS", "XHAL_DRIVER_PATH", "XHAL_LAYERS", "XHAL_LAYER_PATH", "XHAL_LOG",
                  "XHAL_SIM", "XHAL_TRACE", "HOME"}),
            Lines{});
  EXPECT_EQ(warn({"XHAL_DIRVERS"}),
            Lines{"variable XHAL_DIRVERS is set, but nobody reads it; did you mean XHAL_DRIVERS?"});
  EXPECT_EQ(warn({"XHAL_SMI", "XHAL_LOG", "XHAL_DRIVERPATH"}),
            (Lines{"variable XHAL_SMI is set, but nobody reads it; did you mean XHAL_SIM?",
                   "variable XHAL_DRIVERPATH is set, but nobody reads it; did you mean XHAL_DRIVER_PATH?"}));
  EXPECT_EQ(warn({"XHAL_VENDORSPECIAL"}), Lines{"variable XHAL_VENDORSPECIAL is set, but nobody reads it: no "
                                                "driver or layer of that name was found; "
                                                "unset it, or see why with xhal-info --why"});
  EXPECT_EQ(warn({"XHAL_sim"}).size(), 1u);
  EXPECT_EQ(test::line_problem(warn({"XHAL_\n\x1b"})[0]), "");

  Environment elevated = environment;
  elevated.elevated = true;
  EXPECT_EQ(mistyped_variables(elevated, {"XHAL_DIRVERS"}, known), Lines{});
}

TEST(Variables, ThoseOfTheProcessAreListed) {
  XHAL_CLAUSE("XHAL-LOADER-51");
  const std::string answer = test::in_child(::geteuid(), [] {
    ::clearenv();
    ::setenv("XHAL_DIRVERS", "sim", 1);
    ::setenv("XHAL_EMPTY", "", 1);
    ::setenv("MY_XHAL_LOG", "1", 1);
    std::string names;
    for (const std::string& name : set_variables(false)) names += name + " ";
    return names + std::to_string(set_variables(true).size());
  });
  EXPECT_EQ(answer, "XHAL_DIRVERS XHAL_EMPTY 0");
}

}  // namespace
}  // namespace xhal::discovery
