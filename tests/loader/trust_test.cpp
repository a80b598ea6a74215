// SPDX-License-Identifier: Apache-2.0
// The rules of ownership and modes on made-up files first, so that they are tested whole whoever runs the tests; then on real ones, as
// other users, where the tests run as root.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/trust.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

constexpr uid_t kMe = 1000;
constexpr uid_t kStranger = 2000;
constexpr uid_t kInstaller = 3000;

struct Step {
  uid_t owner;
  mode_t mode;  // with the type
};

constexpr Step kRoot = {0, S_IFDIR | 0755};

Step folder(uid_t owner, mode_t mode) { return {owner, S_IFDIR | mode}; }
Step file(uid_t owner, mode_t mode) { return {owner, S_IFREG | mode}; }

// What is wrong with the first step that is refused, or "".
std::string judge(const Trust& trust, const std::vector<Step>& steps) {
  TrustWalk walk(trust);
  std::string path;
  for (const Step& step : steps) {
    struct stat status = {};
    status.st_uid = step.owner;
    status.st_mode = step.mode;
    path += path.empty() ? "/" : "x";
    if (auto problem = walk.problem(status, path)) {
      EXPECT_EQ(test::line_problem(*problem), "");
      return *problem;
    }
  }
  return "";
}

Trust ordinary(bool named = false) {
  Trust trust;
  trust.user = kMe;
  trust.named = named;
  trust.host = [] { return HostFile{kInstaller, false}; };
  return trust;
}

Trust elevated(std::optional<uid_t> user) {
  Trust trust;
  trust.elevated = true;
  trust.user = user;
  // Never asked: how well libxhal is protected must not matter here.
  trust.host = [] { return HostFile{kStranger, true}; };
  return trust;
}

TEST(Trust, AnElevatedProcessTakesRootsFilesAlone) {
  XHAL_CLAUSE("XHAL-LOADER-32");
  XHAL_CLAUSE("XHAL-LOADER-34");
  const Trust trust = elevated(std::nullopt);
  EXPECT_EQ(judge(trust, {kRoot, kRoot, file(0, 0644)}), "");
  EXPECT_NE(judge(trust, {kRoot, kRoot, file(kMe, 0644)}), "");
  EXPECT_NE(judge(trust, {kRoot, folder(kMe, 0755), file(0, 0644)}), "");
  EXPECT_NE(judge(trust, {folder(kMe, 0755), kRoot, file(0, 0644)}), "");
  for (const mode_t bit : {mode_t{S_IWGRP}, mode_t{S_IWOTH}}) {
    EXPECT_NE(judge(trust, {kRoot, kRoot, file(0, 0644 | bit)}), "");
    EXPECT_NE(judge(trust, {kRoot, folder(0, 0755 | bit), file(0, 0644)}), "");
    EXPECT_NE(judge(trust, {folder(0, 0755 | bit), kRoot, file(0, 0644)}), "");
    EXPECT_NE(judge(trust, {kRoot, folder(0, 01755 | bit), file(0, 0644)}), "")
        << "a sticky folder is no exception";
  }
  EXPECT_EQ(judge(trust, {kRoot, file(kMe, 0644)}),
            "file '/x' belongs to user 1000, whom an elevated process does not trust; make root its owner");
  EXPECT_EQ(judge(trust, {kRoot, folder(0, 0775)}),
            "others than the owner may write to folder '/x', so an elevated process does not trust it; run "
            "chmod go-w on it");
}

TEST(Trust, ASetUidProcessTakesItsNewUsersFilesToo) {
  XHAL_CLAUSE("XHAL-LOADER-32");
  const Trust trust = elevated(kMe);
  EXPECT_EQ(judge(trust, {kRoot, folder(kMe, 0755), file(kMe, 0644)}), "");
  EXPECT_NE(judge(trust, {kRoot, folder(kMe, 0755), file(kStranger, 0644)}), "");
  EXPECT_NE(judge(trust, {kRoot, folder(kMe, 0775), file(kMe, 0644)}), "");
}

TEST(Trust, OrdinaryOwners) {
  XHAL_CLAUSE("XHAL-LOADER-35");
  for (const uid_t owner : {uid_t{0}, kMe, kInstaller}) {
    EXPECT_EQ(judge(ordinary(), {kRoot, folder(owner, 0755), file(owner, 0644)}), "") << owner;
  }
  EXPECT_EQ(judge(ordinary(), {kRoot, folder(kStranger, 0755)}),
            "folder '/x' belongs to user 2000, neither root nor this user; change its owner, or name its "
            "path explicitly to trust them");
  EXPECT_NE(judge(ordinary(), {kRoot, kRoot, file(kStranger, 0644)}), "");
  EXPECT_EQ(judge(ordinary(true), {kRoot, folder(kStranger, 0755), file(kStranger, 0644)}), "");
}

TEST(Trust, ANamedStrangerInASharedFolderMayHaveComeUninvited) {
  XHAL_CLAUSE("XHAL-LOADER-35");
  const Step shared = folder(0, 01777);
  EXPECT_EQ(judge(ordinary(true), {kRoot, shared, folder(kStranger, 0755)}),
            "folder '/xx' belongs to user 2000, neither root nor this user, inside a folder that everyone "
            "may write to; "
            "move it or make it yours");
  EXPECT_NE(judge(ordinary(true), {kRoot, shared, file(kStranger, 0644)}), "");
  EXPECT_EQ(judge(ordinary(true),
                  {kRoot, shared, folder(kMe, 0755), folder(kStranger, 0755), file(kStranger, 0644)}),
            "")
      << "deeper down, the owner of the folder above let them in";
}

TEST(Trust, OrdinaryModes) {
  XHAL_CLAUSE("XHAL-LOADER-36");
  const Trust trust = ordinary();
  EXPECT_EQ(judge(trust, {kRoot, folder(0, 01777), folder(kMe, 0700), file(kMe, 0644)}), "")
      << "a build below /tmp";
  EXPECT_EQ(judge(trust, {kRoot, folder(kMe, 0775), file(kMe, 0664)}), "") << "umask 002";
  EXPECT_EQ(judge(trust, {kRoot, folder(kMe, 0777)}),
            "everyone may write to folder '/x'; run chmod o-w on it");
  EXPECT_EQ(judge(trust, {kRoot, file(kMe, 0666)}), "everyone may write to file '/x'; run chmod o-w on it");
  EXPECT_NE(judge(trust, {kRoot, file(kMe, 01666)}), "") << "the sticky bit means nothing on a file";
  EXPECT_NE(judge(ordinary(true), {kRoot, folder(kMe, 0777)}), "")
      << "naming a path trusts its owner, not everyone";
  EXPECT_NE(judge(trust, {kRoot, folder(kStranger, 01777)}), "")
      << "the owner of a shared folder may replace what is in it";
}

TEST(Trust, WhereLibxhalIsOpenToEveryoneSoMayItsDriversBe) {
  XHAL_CLAUSE("XHAL-LOADER-37");
  Trust trust = ordinary();
  trust.host = [] { return HostFile{kInstaller, true}; };
  EXPECT_EQ(judge(trust, {kRoot, folder(kMe, 0777), file(kMe, 0666)}), "");
  EXPECT_NE(judge(trust, {kRoot, folder(kStranger, 0777)}), "") << "owners still count";
  trust.host = nullptr;
  EXPECT_NE(judge(trust, {kRoot, folder(kMe, 0777)}), "") << "an unknown libxhal opens nothing";
}

TEST(Trust, HowOpenLibxhalIs) {
  XHAL_CLAUSE("XHAL-LOADER-37");
  const test::TemporaryFolder root;
  if (host_file_at(root.path()).open_to_everyone) GTEST_SKIP() << "everyone may write above " << root.path();
  test::write_file(root / "closed/libxhal.so", "");
  test::write_file(root / "open/libxhal.so", "");
  test::write_file(root / "shared/libxhal.so", "");
  test::write_file(root / "closed/open.so", "");
  ::chmod((root / "open").c_str(), 0777);
  ::chmod((root / "shared").c_str(), 01777);
  ::chmod((root / "closed/open.so").c_str(), 0666);
  EXPECT_FALSE(host_file_at(root / "closed/libxhal.so").open_to_everyone);
  EXPECT_TRUE(host_file_at(root / "open/libxhal.so").open_to_everyone);
  EXPECT_FALSE(host_file_at(root / "shared/libxhal.so").open_to_everyone);
  EXPECT_TRUE(host_file_at(root / "closed/open.so").open_to_everyone);
  EXPECT_EQ(host_file_at(root / "closed/libxhal.so").owner, ::geteuid());
  EXPECT_EQ(host_file_at(root / "closed/none.so").owner, std::nullopt);
  EXPECT_EQ(host_file_at("").owner, std::nullopt);
}

TEST(Trust, TheFileThatHoldsThisCodeIsKnown) {
  EXPECT_EQ(own_library_path(), std::filesystem::canonical("/proc/self/exe").native());
}

// ---- Real files, other users ----

std::string first_reason(const std::map<std::string, std::string>& variables,
                         std::vector<std::string> paths = {}) {
  const Found found = find(test::explicit_request(std::move(paths)), test::bare_environment(variables));
  const Candidate& first = found.candidates.at(0);
  return first.decision == XHAL_CANDIDATE_SELECTED ? "selected" : first.reason;
}

class RealFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::is_root()) GTEST_SKIP() << "needs root, to give files to other users and to become them";
    if (host_file_at(own_library_path()).open_to_everyone)
      GTEST_SKIP() << "everyone may write above this program";
    folder_ = root_ / "xhal/drivers.d";
    manifest_ = folder_ + "/sim.json";
    library_ = folder_ + "/libsim.so";
    test::write_file(library_, test::read_file(test::fixture("driver")));
    test::write_manifest(manifest_, "sim", {{"library", "\"libsim.so\""}});
  }

  void give(const std::string& path, uid_t owner) {
    ASSERT_EQ(::chown(path.c_str(), owner, owner), 0) << path;
  }

  // As nobody: found in the user's folder, named by the variable, named by the application.
  std::string found() {
    return test::in_child(test::kNobody, [&] { return first_reason({{"XDG_DATA_HOME", root_.path()}}); });
  }
  std::string listed() {
    return test::in_child(test::kNobody, [&] { return first_reason({{"XHAL_DRIVER_PATH", folder_}}); });
  }
  std::string named() {
    return test::in_child(test::kNobody, [&] { return first_reason({}, {manifest_}); });
  }

  test::TemporaryFolder root_;
  std::string folder_, manifest_, library_;
};

TEST_F(RealFiles, RootsAndOnesOwnAreTaken) {
  XHAL_CLAUSE("XHAL-LOADER-35");
  EXPECT_EQ(found(), "selected");
  for (const std::string& path : {folder_, manifest_, library_}) give(path, test::kNobody);
  EXPECT_EQ(found(), "selected");
}

TEST_F(RealFiles, AStrangersAreTakenOnlyWhenNamed) {
  XHAL_CLAUSE("XHAL-LOADER-35");
  for (const std::string& path : {folder_, manifest_, library_}) {
    give(path, test::kSomebody);
    EXPECT_NE(found().find("'" + path + "' belongs to user 54321, neither root nor this user"),
              std::string::npos)
        << found();
    EXPECT_EQ(listed(), "selected") << path;
    EXPECT_EQ(named(), "selected") << path;
    give(path, 0);
  }
}

TEST_F(RealFiles, AStrangersInASharedFolderAreNotTaken) {
  XHAL_CLAUSE("XHAL-LOADER-35");
  give(folder_, test::kSomebody);
  ::chmod((root_ / "xhal").c_str(), 01777);
  for (const std::string& reason : {found(), listed(), named()}) {
    EXPECT_NE(reason.find("inside a folder that everyone may write to"), std::string::npos) << reason;
  }
}

TEST_F(RealFiles, WhatEveryoneMayWriteToIsNotTaken) {
  XHAL_CLAUSE("XHAL-LOADER-36");
  for (const std::string& path : {root_.path(), root_ / "xhal", folder_, manifest_, library_}) {
    struct stat before = {};
    ASSERT_EQ(::stat(path.c_str(), &before), 0);
    for (const mode_t bits : {mode_t{S_IWOTH}, mode_t{S_IWGRP | S_IWOTH}}) {
      ASSERT_EQ(::chmod(path.c_str(), before.st_mode | bits), 0);
      for (const std::string& reason : {found(), listed(), named()}) {
        EXPECT_NE(reason.find("everyone may write to "), std::string::npos) << path << ": " << reason;
        EXPECT_NE(reason.find("'" + path + "'; run chmod o-w on it"), std::string::npos)
            << path << ": " << reason;
      }
    }
    ASSERT_EQ(::chmod(path.c_str(), before.st_mode | S_IWGRP), 0);
    EXPECT_EQ(found(), "selected") << path << " with group write";
    ::chmod(path.c_str(), before.st_mode);
  }
}

TEST_F(RealFiles, LinksAreJudgedByWhereTheyLead) {
  XHAL_CLAUSE("XHAL-LOADER-38");
  ::rename(library_.c_str(), (folder_ + "/libsim.so.0.1").c_str());
  std::filesystem::create_symlink("libsim.so.0.1", library_);
  EXPECT_EQ(found(), "selected");
  test::make_folders(root_ / "open");
  ::rename((folder_ + "/libsim.so.0.1").c_str(), (root_ / "open/libsim.so").c_str());
  std::filesystem::remove(library_);
  std::filesystem::create_symlink(root_ / "open/libsim.so", library_);
  EXPECT_EQ(found(), "selected");
  ::chmod((root_ / "open").c_str(), 0777);
  EXPECT_NE(found().find("everyone may write to folder '" + (root_ / "open") + "'"), std::string::npos)
      << found();
}

TEST_F(RealFiles, OpeningJudgesAgain) {
  XHAL_CLAUSE("XHAL-LOADER-31");
  const std::string text = test::in_child(test::kNobody, [&] {
    Manifest manifest;
    manifest.name = "sim";
    manifest.library = library_;
    const Opened good = open_library(manifest, "xhal_driver_negotiate", false);
    return std::to_string(good.result) + " " + good.text;
  });
  EXPECT_EQ(text, "0 ");
  give(library_, test::kSomebody);
  const std::string refused = test::in_child(test::kNobody, [&] {
    Manifest manifest;
    manifest.name = "sim";
    manifest.library = library_;
    const Opened bad = open_library(manifest, "xhal_driver_negotiate", false);
    return std::to_string(bad.result) + " " + bad.text;
  });
  EXPECT_TRUE(refused.starts_with("-31 driver 'sim': file '" + library_ + "' belongs to user 54321"))
      << refused;
}

}  // namespace
}  // namespace xhal::discovery
