// SPDX-License-Identifier: Apache-2.0
// Real set-uid and set-gid programs, run by other users. They need a folder whose every parent is root's, which /tmp is not: where that is
// allowed, a file system of its own is mounted for them, seen by this process alone.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/files.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string path;     // for set-uid programs, or
  std::string problem;  // why they cannot be tested here
  bool is_mounted = false;
};

bool is_nosuid(const std::string& folder) {
  struct statvfs status = {};
  return ::statvfs(folder.c_str(), &status) != 0 || (status.f_flag & ST_NOSUID) != 0;
}

Place find_place() {
  if (!test::is_root()) return {"", "needs root, to make set-uid programs", false};
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
    return {"", "this process may gain no privileges (no_new_privs)", false};
  if (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) {
    for (const char* folder : {"/mnt", "/srv", "/media", "/opt"}) {
      if (!fs::is_directory(folder) || fs::is_symlink(folder)) continue;
      if (::mount("xhal-test", folder, "tmpfs", 0, "mode=0755") != 0) continue;
      if (!is_nosuid(folder)) return {folder, "", true};
      ::umount2(folder, MNT_DETACH);
    }
  }
  // No mounts in this container: any folder that an elevated process trusts.
  const std::string build = fs::path(XHAL_TEST_PROBE).parent_path().native();
  for (const std::string& folder : {build, std::string("/opt"), std::string("/var/lib")}) {
    if (open_folder(folder, Trust::of_process(true, false)).outcome != Outcome::kOpened || is_nosuid(folder))
      continue;
    std::string path = folder + "/xhal-loader-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) continue;
    ::chmod(path.c_str(), 0755);
    return {path, "", false};
  }
  return {"", "every file system that an elevated process would trust is nosuid or read-only", false};
}

class Elevated : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { place() = find_place(); }
  static void TearDownTestSuite() {
    if (place().path.empty()) return;
    if (place().is_mounted) {
      ::umount2(place().path.c_str(), MNT_DETACH);
    } else {
      fs::remove_all(place().path);
    }
  }

  void SetUp() override {
    if (!place().problem.empty()) GTEST_SKIP() << place().problem;
    prefix_ = place().path + "/" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = prefix_ + "/share/xhal/drivers.d";
    probe_ = prefix_ + "/lib/probe";
    test::write_file(probe_, test::read_file(XHAL_TEST_PROBE));
    test::write_file(prefix_ + "/lib/xhal/libsim.so", test::read_file(test::fixture("driver")));
    install("sim", "../../../lib/xhal/libsim.so");
    give(probe_, 0, 0, 04755);
  }

  void install(const std::string& name, const std::string& library) {
    test::write_manifest(folder_ + "/" + name + ".json", name, {{"library", "\"" + library + "\""}});
  }

  static void give(const std::string& path, uid_t owner, gid_t group, mode_t mode) {
    ASSERT_EQ(::chown(path.c_str(), owner, group), 0) << path;
    ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
  }

  // The probe's output, run by this user with a hostile environment.
  std::string run_as(uid_t user, const std::string& program) {
    const test::TemporaryFolder hostile;
    test::write_manifest(hostile / "xhal/drivers.d/evil.json", "evil");
    const std::string output = hostile / "output";
    return test::in_child(::geteuid(), [&]() -> std::string {
      const pid_t child = ::fork();
      if (child == 0) {
        for (const char* variable : {"XHAL_DRIVER_PATH", "XHAL_LAYER_PATH", "XDG_DATA_HOME"})
          ::setenv(variable, hostile.path().c_str(), 1);
        ::setenv("HOME", hostile.path().c_str(), 1);
        ::setenv("XHAL_DRIVERS", "evil", 1);
        ::setenv("XHAL_DIRVERS", "evil", 1);
        const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ::dup2(out, 1);
        ::dup2(out, 2);
        if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
            ::setresuid(user, user, user) != 0)
          ::_exit(125);
        ::execl(program.c_str(), program.c_str(), nullptr);
        ::_exit(126);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      return "status " + std::to_string(status) + "\n" + test::read_file(output);
    });
  }

  static Place& place() {
    static Place found;
    return found;
  }

  std::string prefix_, folder_, probe_;
};

#define EXPECT_SAYS(output, words) EXPECT_NE((output).find(words), std::string::npos) << (output)
#define EXPECT_SAYS_NOT(output, words) EXPECT_EQ((output).find(words), std::string::npos) << (output)

TEST_F(Elevated, ASetUidProgramIgnoresEveryVariableAndLoadsItsDescriptor) {
  XHAL_CLAUSE("XHAL-LOADER-1");
  XHAL_CLAUSE("XHAL-LOADER-2");
  XHAL_CLAUSE("XHAL-LOADER-40");
  const std::string output = run_as(test::kNobody, probe_);
  EXPECT_SAYS(output, "status 0\nelevated 1\ninstallation " + prefix_ + "\nvariables 0\n");
  EXPECT_SAYS(output, "candidate 4 user : skipped: an elevated process reads no variable, HOME neither\n");
  EXPECT_SAYS(output, "candidate 0 installation " + folder_ + "/sim.json: \n");
  EXPECT_SAYS(output, "opened sim: 0 mark 11 \n");
  EXPECT_SAYS_NOT(output, "evil");
}

TEST_F(Elevated, TheSameProgramWithoutPrivilegesListens) {
  XHAL_CLAUSE("XHAL-LOADER-1");
  give(probe_, 0, 0, 0755);
  const std::string output = run_as(test::kNobody, probe_);
  EXPECT_SAYS(output, "status 0\nelevated 0\n");
  EXPECT_SAYS(output, "variables 4\n");
  EXPECT_SAYS(output, "opened evil: 0 mark 11 \n");
}

TEST_F(Elevated, ASetGidProgramIsElevatedToo) {
  XHAL_CLAUSE("XHAL-LOADER-1");
  give(probe_, 0, 0, 02755);
  const std::string output = run_as(test::kNobody, probe_);
  EXPECT_SAYS(output, "status 0\nelevated 1\n");
  EXPECT_SAYS(output, "opened sim: 0 mark 11 \n");
  EXPECT_SAYS_NOT(output, "evil");
}

TEST_F(Elevated, ItsCallersFilesAreNotTrusted) {
  XHAL_CLAUSE("XHAL-LOADER-32");
  XHAL_CLAUSE("XHAL-LOADER-34");
  for (const mode_t mode : {mode_t{04755}, mode_t{02755}}) {
    give(probe_, 0, 0, mode);
    give(folder_ + "/sim.json", test::kNobody, 0, 0644);
    std::string output = run_as(test::kNobody, probe_);
    EXPECT_SAYS(output, "elevated 1\n");
    EXPECT_SAYS(output, "candidate 3 installation " + folder_ + "/sim.json: file '" + folder_ +
                            "/sim.json' belongs to user 65534, whom");
    EXPECT_SAYS_NOT(output, "opened");
    give(folder_ + "/sim.json", 0, 0, 0644);
    give(prefix_ + "/lib/xhal/libsim.so", test::kNobody, 0, 0644);
    output = run_as(test::kNobody, probe_);
    EXPECT_SAYS(output, "libsim.so' belongs to user 65534, whom");
    EXPECT_SAYS_NOT(output, "opened");
    give(prefix_ + "/lib/xhal/libsim.so", 0, 0, 0644);
  }
}

TEST_F(Elevated, ItsNewUsersFilesAreTrusted) {
  XHAL_CLAUSE("XHAL-LOADER-32");
  give(probe_, test::kNobody, 0, 04755);
  give(folder_ + "/sim.json", test::kNobody, 0, 0644);
  const std::string output = run_as(test::kSomebody, probe_);
  EXPECT_SAYS(output, "status 0\nelevated 1\n");
  EXPECT_SAYS(output, "opened sim: 0 mark 11 \n");
}

TEST_F(Elevated, WhatOthersMayWriteToIsRefused) {
  XHAL_CLAUSE("XHAL-LOADER-32");
  for (const std::string& path : {prefix_, prefix_ + "/share", folder_, folder_ + "/sim.json",
                                  prefix_ + "/lib", prefix_ + "/lib/xhal/libsim.so"}) {
    struct stat before = {};
    ASSERT_EQ(::stat(path.c_str(), &before), 0);
    for (const mode_t bits : {mode_t{S_IWGRP}, mode_t{S_IWOTH}, mode_t{S_IWOTH | S_ISVTX}}) {
      ASSERT_EQ(::chmod(path.c_str(), before.st_mode | bits), 0);
      const std::string output = run_as(test::kNobody, probe_);
      EXPECT_SAYS(output, "others than the owner may write to ");
      EXPECT_SAYS(output, "'" + path + "', so an elevated process does not trust it");
      EXPECT_SAYS_NOT(output, "opened");
    }
    ::chmod(path.c_str(), before.st_mode);
  }
  EXPECT_SAYS(run_as(test::kNobody, probe_), "opened sim: 0 mark 11 \n");
}

TEST_F(Elevated, NoLinkIsFollowed) {
  XHAL_CLAUSE("XHAL-LOADER-33");
  fs::rename(prefix_ + "/lib/xhal/libsim.so", prefix_ + "/lib/xhal/libsim.so.0");
  fs::create_symlink("libsim.so.0", prefix_ + "/lib/xhal/libsim.so");
  EXPECT_SAYS(run_as(test::kNobody, probe_),
              "libsim.so' is a symbolic link, which an elevated process does not follow");
  install("sim", "../../../lib/xhal/libsim.so.0");
  EXPECT_SAYS(run_as(test::kNobody, probe_), "opened sim: 0 mark 11 \n");
  fs::rename(prefix_ + "/lib/xhal", prefix_ + "/lib/real");
  fs::create_directory_symlink("real", prefix_ + "/lib/xhal");
  EXPECT_SAYS(run_as(test::kNobody, probe_),
              "/lib/xhal' is a symbolic link, which an elevated process does not follow");
  fs::create_symlink("sim.json", folder_ + "/a.json");
  EXPECT_SAYS(run_as(test::kNobody, probe_),
              "a.json' is a symbolic link, which an elevated process does not follow");
}

TEST(ElevatedRules, AnEffectiveIdMakesAProcessElevated) {
  XHAL_CLAUSE("XHAL-LOADER-1");
  if (!test::is_root()) GTEST_SKIP() << "needs root, to change its ids";
  const auto elevated_after = [](const std::function<bool()>& change) {
    return test::in_child(
        0, [&] { return change() ? std::to_string(process_is_elevated()) : std::string("cannot change"); });
  };
  EXPECT_EQ(elevated_after([] { return true; }), "0");
  EXPECT_EQ(elevated_after([] { return ::seteuid(test::kNobody) == 0; }), "1");
  EXPECT_EQ(elevated_after([] { return ::setegid(test::kNobody) == 0; }), "1");
  EXPECT_EQ(elevated_after([] { return ::setresuid(test::kNobody, 0, 0) == 0; }), "1");
  EXPECT_EQ(elevated_after([] { return ::setresgid(1, 1, 1) == 0 && ::setresuid(1, 1, 1) == 0; }), "0");
}

TEST(ElevatedRules, ADaemonThatPlaysAUsersPartDoesNotTrustThem) {
  XHAL_CLAUSE("XHAL-LOADER-34");
  if (!test::is_root()) GTEST_SKIP() << "needs root, to change its ids";
  const auto trusted_after = [](const std::function<bool()>& change) {
    return test::in_child(0, [&]() -> std::string {
      if (!change()) return "cannot change";
      const std::optional<uid_t> user = Trust::of_process(process_is_elevated(), true).user;
      return user ? std::to_string(*user) : "root alone";
    });
  };
  EXPECT_EQ(trusted_after([] { return ::seteuid(test::kNobody) == 0; }), "root alone");
  EXPECT_EQ(trusted_after([] { return ::setresuid(0, test::kNobody, test::kNobody) == 0; }), "root alone");
  EXPECT_EQ(trusted_after([] { return ::setegid(test::kNobody) == 0; }), "root alone");
  EXPECT_EQ(trusted_after([] {
              return ::setresuid(test::kNobody, test::kNobody, test::kNobody) == 0 && ::setegid(0) == 0;
            }),
            "65534")
      << "not elevated";
}

TEST(ElevatedRules, NothingIsReadAndNothingIsNamed) {
  XHAL_CLAUSE("XHAL-LOADER-2");
  XHAL_CLAUSE("XHAL-LOADER-33");
  const test::TemporaryFolder root;
  test::write_manifest(root / "sim.json", "sim");
  Environment environment = test::bare_environment(
      {{"XHAL_DRIVER_PATH", root.path()}, {"XHAL_DRIVERS", "sim"}, {"HOME", root.path()}});
  environment.elevated = true;
  bool asked = false;
  environment.get = [&](const char*) -> std::optional<std::string> {
    asked = true;
    return std::nullopt;
  };
  const Found found = test::find_checked(
      test::explicit_request({"sim.json", root / "../sim.json", root / "sim.json"}), environment);
  EXPECT_FALSE(asked);
  EXPECT_TRUE(found.selected.empty());
  EXPECT_EQ(found.result, XHAL_ERROR_BAD_MANIFEST);
  EXPECT_NE(found.candidates[0].reason.find("is relative; an elevated process takes absolute paths only"),
            std::string::npos);
  EXPECT_NE(found.candidates[1].reason.find("has '..', which an elevated process does not follow"),
            std::string::npos);
  EXPECT_NE(found.candidates[2].reason.find("elevated process does not trust"), std::string::npos)
      << found.candidates[2].reason;
  EXPECT_EQ(found.candidates[3].reason, "skipped: an elevated process reads no variable, HOME neither");
}

}  // namespace
}  // namespace xhal::discovery
