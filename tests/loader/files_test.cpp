// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/files.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

using test::TemporaryFolder;
using test::write_file;

Trust ordinary() { return Trust::of_process(false, true); }

// Elevated in every rule but ownership and mode, so that paths can be tested below /tmp.
OpenedFile open_elevated(const std::string& path) {
  Trust trust = Trust::of_process(true, false);
  OpenedFile file = open_file(path, 1000, trust);
  EXPECT_EQ(test::line_problem(file.problem), "");
  return file;
}

TEST(Files, OpensRegularFilesByTheirRealPath) {
  XHAL_CLAUSE("XHAL-LOADER-38");
  const TemporaryFolder root;
  write_file(root / "a/b", "text");
  std::filesystem::create_directory_symlink("a", root / "link");
  const OpenedFile file = open_file(root / "link/../link/./b", 4, ordinary());
  ASSERT_EQ(file.outcome, Outcome::kOpened) << file.problem;
  EXPECT_EQ(file.path, root / "a/b");
  EXPECT_EQ(read_all(file, 4).text, "text");
  EXPECT_TRUE(is_still_at(file, root / "link/b"));
  EXPECT_EQ(::fcntl(file.descriptor.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(Files, TheSizeLimitIsExact) {
  const TemporaryFolder root;
  write_file(root / "five", "12345");
  EXPECT_EQ(open_file(root / "five", 5, ordinary()).outcome, Outcome::kOpened);
  const OpenedFile file = open_file(root / "five", 4, ordinary());
  EXPECT_EQ(file.outcome, Outcome::kRefused);
  EXPECT_EQ(file.problem, "'" + (root / "five") +
                              "' has 5 bytes, more than the 4 allowed; check that it is the right file");
}

TEST(Files, AFileThatGrowsIsNotReadBeyondTheLimit) {
  XHAL_CLAUSE("XHAL-LOADER-31");
  const TemporaryFolder root;
  write_file(root / "log", "123");
  const OpenedFile file = open_file(root / "log", 8, ordinary());
  write_file(root / "log", "12345678");
  EXPECT_EQ(read_all(file, 8).text, "12345678");
  write_file(root / "log", "123456789");
  const Bytes bytes = read_all(file, 8);
  EXPECT_FALSE(bytes.complete);
  EXPECT_NE(bytes.problem.find("more than the 8 bytes allowed"), std::string::npos);
}

TEST(Files, WhatWasReplacedIsNoLongerThere) {
  XHAL_CLAUSE("XHAL-LOADER-31");
  const TemporaryFolder root;
  write_file(root / "a", "1");
  write_file(root / "b", "2");
  const OpenedFile file = open_file(root / "a", 10, ordinary());
  std::filesystem::rename(root / "b", root / "a");
  EXPECT_FALSE(is_still_at(file, root / "a"));
  EXPECT_EQ(read_all(file, 10).text, "1") << "what was checked is what is read";
}

TEST(Files, NothingThereIsAbsent) {
  const TemporaryFolder root;
  write_file(root / "file", "");
  EXPECT_EQ(open_file(root / "none", 1, ordinary()).outcome, Outcome::kAbsent);
  EXPECT_EQ(open_file(root / "none/below", 1, ordinary()).outcome, Outcome::kAbsent);
  EXPECT_EQ(open_file(root / "file/below", 1, ordinary()).outcome, Outcome::kAbsent);
  EXPECT_EQ(open_folder(root / "none", ordinary()).outcome, Outcome::kAbsent);
  EXPECT_EQ(open_folder(root / "file", ordinary()).outcome, Outcome::kRefused);
  EXPECT_EQ(open_file(root / std::string(300, 'x'), 1, ordinary()).outcome, Outcome::kRefused);
  EXPECT_EQ(open_folder("/", Trust::of_process(false, true)).outcome, Outcome::kOpened);
}

TEST(Files, AnElevatedProcessTakesPlainAbsolutePathsOnly) {
  XHAL_CLAUSE("XHAL-LOADER-33");
  EXPECT_EQ(open_elevated("x.json").problem,
            "path 'x.json' is relative; an elevated process takes absolute paths only");
  EXPECT_EQ(open_elevated("").outcome, Outcome::kRefused);
  EXPECT_EQ(
      open_elevated("/usr/../etc/passwd").problem,
      "path '/usr/../etc/passwd' has '..', which an elevated process does not follow; write it without");
  struct stat status = {};
  // Every Linux has this link to a file and, below /proc, this one to a folder.
  ASSERT_EQ(::lstat("/proc/self", &status), 0);
  ASSERT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_EQ(
      open_elevated("/proc/self/status").problem,
      "folder '/proc/self' is a symbolic link, which an elevated process does not follow; use the real path");
  EXPECT_EQ(
      open_elevated("/proc/mounts").problem,
      "'/proc/mounts' is a symbolic link, which an elevated process does not follow; use the real path");
}

TEST(Files, AnElevatedProcessTakesNothingBelowASharedFolder) {
  XHAL_CLAUSE("XHAL-LOADER-32");
  const TemporaryFolder root;
  write_file(root / "a", "1");
  const OpenedFile file = open_elevated(root / "a");
  EXPECT_EQ(file.outcome, Outcome::kRefused)
      << "the temporary folder lies below one that everyone may write to, or is not root's";
  EXPECT_NE(file.problem.find("elevated process does not trust"), std::string::npos) << file.problem;
}

TEST(Files, ListsByBytesAndWithinLimits) {
  const TemporaryFolder root;
  for (const char* name : {"b.json", "B.json", ".c.json", "d.txt"}) write_file(root / name, "");
  const OpenedFile folder = open_folder(root.path(), ordinary());
  const Listing all = list_folder(folder, ".json", 10, 10);
  EXPECT_EQ(all.names, (std::vector<std::string>{"B.json", "b.json"}));
  EXPECT_EQ(all.problem, "");
  EXPECT_EQ(list_folder(folder, ".json", 1, 10).names, (std::vector<std::string>{"B.json"}));
  EXPECT_NE(list_folder(folder, ".json", 1, 10).problem, "");
  EXPECT_EQ(list_folder(folder, ".json", 10, 4).problem, "");
  EXPECT_NE(list_folder(folder, ".json", 10, 3).problem, "");
}

}  // namespace
}  // namespace xhal::discovery
