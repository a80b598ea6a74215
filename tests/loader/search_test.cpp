// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/path.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

using test::bare_environment;
using test::candidate_at;
using test::decisions;
using test::explicit_request;
using test::find_checked;
using test::selected_names;
using test::TemporaryFolder;
using test::write_file;
using test::write_manifest;
using Lines = std::vector<std::string>;

Found find_in(const std::string& path_list, Kind kind = Kind::kDriver) {
  Request request;
  request.kind = kind;
  if (kind == Kind::kLayer) request.selection = {"layer_a"};
  return find_checked(
      request,
      bare_environment({{kind == Kind::kDriver ? "XHAL_DRIVER_PATH" : "XHAL_LAYER_PATH", path_list}}));
}

// The lines of a search without those of the places that bare_environment leaves empty.
Lines told(const Found& found) {
  Lines lines;
  for (std::string& line : decisions(found)) {
    if (line != "absent user " && line != "absent installation ") lines.push_back(std::move(line));
  }
  return lines;
}

TEST(Search, PlacesComeInTheirOrder) {
  XHAL_CLAUSE("XHAL-LOADER-15");
  const TemporaryFolder root;
  const auto place = [&](const std::string& folder, const std::string& name) {
    write_manifest(root / (folder + "/" + name + ".json"), name);
  };
  place("own", "d_explicit");
  place("listed", "c_listed");
  place("data/xhal/drivers.d", "b_user");
  place("etc/drivers.d", "a_etc");
  place("share/drivers.d", "z_share");
  place("prefix/share/xhal/drivers.d", "y_installed");
  Environment environment =
      bare_environment({{"XHAL_DRIVER_PATH", root / "listed"}, {"XDG_DATA_HOME", root / "data"}});
  environment.system_roots = {root / "etc", root / "share"};
  environment.installation = root / "prefix";
  const Found found = find_checked(explicit_request({root / "own/d_explicit.json"}), environment);
  EXPECT_EQ(decisions(found),
            (Lines{"selected explicit d_explicit.json", "selected XHAL_DRIVER_PATH c_listed.json",
                   "selected user b_user.json", "selected system a_etc.json", "selected system z_share.json",
                   "selected installation y_installed.json"}));
  EXPECT_EQ(selected_names(found),
            (Lines{"d_explicit", "c_listed", "b_user", "a_etc", "z_share", "y_installed"}));
  EXPECT_EQ(found.result, XHAL_SUCCESS);
}

TEST(Search, LayersHavePlacesOfTheirOwn) {
  XHAL_CLAUSE("XHAL-LAYER-2");
  const TemporaryFolder root;
  const auto place = [&](const std::string& folder, const std::string& name) {
    write_manifest(root / (folder + "/" + name + ".json"), name, {}, Kind::kLayer);
  };
  place("own", "l_explicit");
  place("listed", "l_listed");
  place("data/xhal/layers.d", "l_user");
  place("etc/layers.d", "l_etc");
  place("prefix/share/xhal/layers.d", "l_installed");
  write_manifest(root / "prefix/share/xhal/drivers.d/sim.json", "sim");
  Environment environment = bare_environment({{"XHAL_LAYER_PATH", root / "listed"},
                                              {"XDG_DATA_HOME", root / "data"},
                                              {"XHAL_DRIVER_PATH", root.path()}});
  environment.system_roots = {root / "etc"};
  environment.installation = root / "prefix";
  Request request = explicit_request({root / "own/l_explicit.json"});
  request.kind = Kind::kLayer;
  request.selection = {"l_installed", "l_etc", "l_user", "l_listed", "l_explicit"};
  const Found found = find_checked(request, environment);
  EXPECT_EQ(decisions(found),
            (Lines{"selected explicit l_explicit.json", "selected XHAL_LAYER_PATH l_listed.json",
                   "selected user l_user.json", "selected system l_etc.json",
                   "selected installation l_installed.json"}));
  EXPECT_EQ(selected_names(found), (Lines{"l_explicit", "l_installed", "l_etc", "l_user", "l_listed"}));
}

TEST(Search, AFolderIsTakenInByteOrder) {
  XHAL_CLAUSE("XHAL-LOADER-16");
  const TemporaryFolder root;
  for (const char* file : {"b.json", "a.json", "B.json", "10.json", "9.json", "\xc3\xa9.json"}) {
    write_manifest(root / file, "n_" + std::to_string(static_cast<unsigned char>(file[0])));
  }
  write_manifest(root / "c.json~", "c");
  write_manifest(root / ".d.json", "d");
  write_manifest(root / "e.JSON", "e");
  write_manifest(root / "json", "f");
  write_file(root / "README", "no manifest");
  EXPECT_EQ(told(find_in(root.path())),
            (Lines{"selected XHAL_DRIVER_PATH 10.json", "selected XHAL_DRIVER_PATH 9.json",
                   "selected XHAL_DRIVER_PATH B.json", "selected XHAL_DRIVER_PATH a.json",
                   "selected XHAL_DRIVER_PATH b.json", "selected XHAL_DRIVER_PATH \xc3\xa9.json"}));
}

TEST(Search, WhatIsNoRegularFileIsRefusedWithoutHanging) {
  XHAL_CLAUSE("XHAL-LOADER-17");
  const TemporaryFolder root;
  ASSERT_EQ(::mkfifo((root / "fifo.json").c_str(), 0644), 0);
  test::make_folders(root / "folder.json");
  std::filesystem::create_symlink("/dev/null", root / "device.json");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string socket_path = root / "socket.json";
  ASSERT_LT(socket_path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
  std::filesystem::create_symlink("nowhere", root / "dangling.json");
  std::filesystem::create_symlink("circle.json", root / "circle.json");

  const Found found = find_in(root.path());
  EXPECT_TRUE(found.selected.empty());
  const auto reason = [&](const char* file) {
    const Candidate& candidate = candidate_at(found, file);
    EXPECT_EQ(candidate.decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED)) << file;
    EXPECT_EQ(candidate.result, XHAL_ERROR_BAD_MANIFEST) << file;
    return candidate.reason;
  };
  EXPECT_TRUE(reason("/fifo.json").ends_with("is a FIFO, not a regular file; name or put one there"));
  EXPECT_TRUE(reason("/folder.json").ends_with("is a folder, not a regular file; name or put one there"));
  EXPECT_TRUE(reason("/device.json").ends_with("is a device, not a regular file; name or put one there"));
  EXPECT_TRUE(reason("/socket.json").ends_with("is a socket, not a regular file; name or put one there"));
  EXPECT_TRUE(reason("/dangling.json").ends_with("it vanished, or is a link to nothing; remove it"));
  EXPECT_NE(reason("/circle.json").find("symbolic link"), std::string::npos);
}

TEST(Search, ALibraryThatIsNoRegularFileIsRefused) {
  XHAL_CLAUSE("XHAL-LOADER-17");
  const TemporaryFolder root;
  ASSERT_EQ(::mkfifo((root / "fifo.so").c_str(), 0644), 0);
  test::make_folders(root / "folder.so");
  write_manifest(root / "a.json", "a", {{"library", "\"fifo.so\""}});
  write_manifest(root / "b.json", "b", {{"library", "\"folder.so\""}});
  write_manifest(root / "c.json", "c", {{"library", "\"/dev/null\""}});
  write_manifest(root / "d.json", "d", {{"library", "\"missing.so\""}});
  const Found found = find_in(root.path());
  EXPECT_TRUE(found.selected.empty());
  for (const char* file : {"/a.json", "/b.json", "/c.json", "/d.json"}) {
    EXPECT_EQ(candidate_at(found, file).result, XHAL_ERROR_DRIVER_FAILED) << file;
  }
  EXPECT_TRUE(candidate_at(found, "/a.json")
                  .reason.ends_with("is a FIFO, not a regular file; name or put one there"));
  EXPECT_TRUE(candidate_at(found, "/c.json")
                  .reason.ends_with("is a device, not a regular file; name or put one there"));
  EXPECT_TRUE(
      candidate_at(found, "/d.json").reason.ends_with("does not exist; install it, or correct 'library'"))
      << candidate_at(found, "/d.json").reason;
}

TEST(Search, TheFirstUsableOneOfANameWins) {
  XHAL_CLAUSE("XHAL-LOADER-18");
  const TemporaryFolder root;
  write_file(root / "1/sim.json", "{");
  write_manifest(root / "2/sim.json", "sim", {{"library", "\"missing.so\""}});
  write_manifest(root / "3/sim.json", "sim", {{"abi", "\"0.7\""}});
  write_manifest(root / "4/one.json", "sim", {{"description", "\"winner\""}});
  write_manifest(root / "4/two.json", "sim");
  write_manifest(root / "5/sim.json", "sim");
  const Found found = find_in((root / "1") + ":" + (root / "2") + ":" + (root / "3") + ":" + (root / "4") +
                              ":" + (root / "5"));
  EXPECT_EQ(told(found), (Lines{"refused XHAL_DRIVER_PATH sim.json", "refused XHAL_DRIVER_PATH sim.json",
                                "refused XHAL_DRIVER_PATH sim.json", "selected XHAL_DRIVER_PATH one.json",
                                "shadowed XHAL_DRIVER_PATH two.json", "shadowed XHAL_DRIVER_PATH sim.json"}));
  ASSERT_EQ(found.selected.size(), 1u);
  EXPECT_EQ(found.selected[0].description, "winner");
  EXPECT_EQ(candidate_at(found, "/5/sim.json").reason,
            "'sim' was found earlier: '" + (root / "4/one.json") + "'");
  EXPECT_EQ(candidate_at(found, "/3/sim.json").result, XHAL_ERROR_VERSION_MISMATCH);
}

TEST(Search, TheSameFileIsToldOnce) {
  XHAL_CLAUSE("XHAL-LOADER-19");
  const TemporaryFolder root;
  write_manifest(root / "xhal/drivers.d/sim.json", "sim");
  std::filesystem::create_directory_symlink(root / "xhal", root / "link");
  std::filesystem::create_symlink("sim.json", root / "xhal/drivers.d/to_sim.json");
  const std::string folder = root / "xhal/drivers.d";
  Environment environment =
      bare_environment({{"XHAL_DRIVER_PATH",
                         folder + ":" + folder + "/:" + folder + "/sim.json:" + (root / "link/drivers.d")}});
  environment.system_roots = {root / "xhal", root / "link", root / "none", root / "none"};
  const Found found = find_checked({}, environment);
  EXPECT_EQ(decisions(found), (Lines{"selected XHAL_DRIVER_PATH sim.json", "absent user ",
                                     "absent system drivers.d", "absent installation "}));
}

TEST(Search, EveryPlaceIsTold) {
  XHAL_CLAUSE("XHAL-LOADER-20");
  const TemporaryFolder root;
  test::make_folders(root / "empty");
  write_file(root / "file", "");
  const Found found = find_in((root / "missing") + ":" + (root / "empty") + ":" + (root / "file/below") +
                              ":" + (root / "file"));
  EXPECT_EQ(decisions(found), (Lines{"absent XHAL_DRIVER_PATH missing", "absent XHAL_DRIVER_PATH empty",
                                     "absent XHAL_DRIVER_PATH below", "refused XHAL_DRIVER_PATH file",
                                     "absent user ", "absent installation "}));
  EXPECT_EQ(candidate_at(found, "/missing").reason, "no such folder");
  EXPECT_EQ(candidate_at(found, "/empty").reason, "the folder holds no manifest (*.json)");
  EXPECT_TRUE(candidate_at(found, "/file").reason.ends_with("is a file, not a folder; name a folder"));
  EXPECT_EQ(found.result, XHAL_SUCCESS);
}

TEST(Search, WhatCannotBeReadIsToldAsRefused) {
  XHAL_CLAUSE("XHAL-LOADER-20");
  const TemporaryFolder root;
  write_manifest(root / "closed/sim.json", "sim");
  write_manifest(root / "open/sim.json", "sim");
  ::chmod((root / "closed").c_str(), 0700);
  ::chmod((root / "open/sim.json").c_str(), 0600);
  if (!test::is_root()) {
    ::chmod((root / "closed").c_str(), 0);
    ::chmod((root / "open/sim.json").c_str(), 0);
  }
  const auto look = [&] {
    const Found found =
        find({}, bare_environment({{"XHAL_DRIVER_PATH", (root / "closed") + ":" + (root / "open")}}));
    std::string lines;
    for (std::size_t i = 0; i < 2; ++i)
      lines += decisions(found)[i] + ": " + found.candidates[i].reason + "\n";
    return lines;
  };
  const std::string lines = test::in_child(test::is_root() ? test::kNobody : ::geteuid(), look);
  const std::string advice = ": Permission denied; check the permissions of it and of the folders above it\n";
  EXPECT_EQ(lines, "refused XHAL_DRIVER_PATH closed: cannot open '" + (root / "closed") + "'" + advice +
                       "refused XHAL_DRIVER_PATH sim.json: cannot open '" + (root / "open/sim.json") + "'" +
                       advice);
}

TEST(Search, ThePathVariableIsAListOfFoldersAndManifests) {
  XHAL_CLAUSE("XHAL-LOADER-21");
  const TemporaryFolder root;
  write_manifest(root / "folder/a.json", "a");
  write_manifest(root / "one.json", "b");
  write_manifest(root / "relative/c.json", "c");
  const Found found = find_in("::" + (root / "gone.json") + ":" + (root / "folder") +
                              "::" + (root / "one.json") + ":" + test::fixture("driver") + ":");
  EXPECT_EQ(told(found),
            (Lines{"absent XHAL_DRIVER_PATH gone.json", "selected XHAL_DRIVER_PATH a.json",
                   "selected XHAL_DRIVER_PATH one.json", "refused XHAL_DRIVER_PATH libdriver.so"}));
  EXPECT_TRUE(candidate_at(found, "libdriver.so")
                  .reason.ends_with("XHAL_DRIVER_PATH takes folders and manifests (*.json) only"));
  EXPECT_TRUE(told(find_in("")).empty());

  const std::string answer = test::in_child(::geteuid(), [&]() -> std::string {
    if (::chdir(root.path().c_str()) != 0) return "cannot change the folder";
    const Found relative = find({}, bare_environment({{"XHAL_DRIVER_PATH", "relative:one.json"}}));
    return relative.selected.size() == 2
               ? relative.selected[0].manifest_path + " " + relative.selected[1].manifest_path
               : "not found";
  });
  EXPECT_EQ(answer, (root / "relative/c.json") + " " + (root / "one.json"));
}

TEST(Search, TheUsersFolderFollowsItsVariables) {
  XHAL_CLAUSE("XHAL-LOADER-22");
  const TemporaryFolder root;
  write_manifest(root / "data/xhal/drivers.d/data.json", "data");
  write_manifest(root / "home/.local/share/xhal/drivers.d/home.json", "home");
  const auto user_line = [](const std::map<std::string, std::string>& variables) {
    for (const Candidate& candidate : find_checked({}, bare_environment(variables)).candidates) {
      if (candidate.origin != "user") continue;
      return candidate.manifest ? candidate.manifest->name : candidate.reason;
    }
    return std::string("not told");
  };
  const std::string skipped = "skipped: neither XDG_DATA_HOME nor HOME holds an absolute path";
  EXPECT_EQ(user_line({{"XDG_DATA_HOME", root / "data"}, {"HOME", root / "home"}}), "data");
  EXPECT_EQ(user_line({{"HOME", root / "home"}}), "home");
  EXPECT_EQ(user_line({{"XDG_DATA_HOME", ""}, {"HOME", root / "home"}}), "home");
  EXPECT_EQ(user_line({{"XDG_DATA_HOME", "data"}, {"HOME", root / "home"}}), "home");
  EXPECT_EQ(user_line({{"XDG_DATA_HOME", "data"}, {"HOME", "home"}}), skipped);
  EXPECT_EQ(user_line({{"HOME", ""}}), skipped);
  EXPECT_EQ(user_line({}), skipped);
  EXPECT_EQ(user_line({{"XDG_DATA_HOME", root / "elsewhere"}, {"HOME", root / "home"}}), "no such folder");
}

TEST(Search, TheInstallationIsAboveTheLibraryFolder) {
  XHAL_CLAUSE("XHAL-LOADER-23");
  EXPECT_EQ(installation_of("/usr/lib/libxhal.so.0"), "/usr");
  EXPECT_EQ(installation_of("/usr/lib64/libxhal.so.0"), "/usr");
  EXPECT_EQ(installation_of("/opt/a/lib32/libxhal.so.0.1.0"), "/opt/a");
  EXPECT_EQ(installation_of("/usr/lib/x86_64-linux-gnu/libxhal.so.0"), "/usr");
  EXPECT_EQ(installation_of("/lib/libxhal.so.0"), "/");
  EXPECT_EQ(installation_of("/srv/me/build/dev/lib/libxhal.so"), "/srv/me/build/dev");
  EXPECT_EQ(installation_of("/usr/lib/a/b/libxhal.so"), "");
  EXPECT_EQ(installation_of("/opt/libxhal.so"), "");
  EXPECT_EQ(installation_of("/libxhal.so"), "");
  EXPECT_EQ(installation_of(""), "");
  // This program holds the loader's code and lies in no library folder.
  const Environment environment = Environment::of_process(true);
  EXPECT_EQ(environment.installation, "");
}

TEST(Search, IgnoringTheEnvironmentReadsNoVariable) {
  XHAL_CLAUSE("XHAL-LOADER-3");
  const TemporaryFolder root;
  write_manifest(root / "sim.json", "sim");
  write_manifest(root / "xhal/drivers.d/mine.json", "mine");
  const std::string names = test::in_child(::geteuid(), [&] {
    for (const char* variable : {"XHAL_DRIVER_PATH", "XDG_DATA_HOME"})
      ::setenv(variable, root.path().c_str(), 1);
    ::setenv("XHAL_DRIVERS", "mine,sim", 1);
    ::setenv("XHAL_DIRVERS", "", 1);
    std::string text;
    for (const bool ignore : {false, true}) {
      Environment environment = Environment::of_process(ignore);
      environment.system_roots.clear();
      const Found found = find({}, environment);
      for (const Manifest& manifest : found.selected) text += manifest.name + " ";
      text += std::to_string(found.result) + " " +
              std::to_string(mistyped_variables(environment, set_variables(ignore), {}).size()) + "; ";
      if (ignore) text += found.candidates[0].reason;
    }
    return text;
  });
  EXPECT_EQ(names, "mine sim 0 1; 0 0; skipped: this instance ignores the environment");
}

TEST(Search, ALinkedManifestSpeaksOfItsOwnFolder) {
  XHAL_CLAUSE("XHAL-LOADER-13");
  const TemporaryFolder root;
  write_file(root / "prefix/lib/xhal/libreal.so", test::read_file(test::fixture("driver")));
  write_manifest(root / "prefix/share/xhal/drivers.d/real.json", "real",
                 {{"library", "\"../../../lib/xhal/libreal.so\""}});
  test::make_folders(root / "linked");
  std::filesystem::create_symlink(root / "prefix/share/xhal/drivers.d/real.json", root / "linked/real.json");
  const Found found = find_in(root / "linked");
  ASSERT_EQ(selected_names(found), Lines{"real"}) << found.candidates[0].reason;
  EXPECT_EQ(found.selected[0].library, root / "prefix/lib/xhal/libreal.so");
  EXPECT_EQ(found.selected[0].manifest_path, root / "linked/real.json");
}

TEST(Search, ABareFileNameIsNeverLookedForInTheSystem) {
  XHAL_CLAUSE("XHAL-LOADER-13");
  const TemporaryFolder root;
  write_manifest(root / "sim.json", "sim", {{"library", "\"libc.so.6\""}});
  const Found found = find_in(root.path());
  EXPECT_TRUE(found.selected.empty());
  EXPECT_EQ(candidate_at(found, "/sim.json").reason,
            "its library '" + (root / "libc.so.6") + "' does not exist; install it, or correct 'library'");
}

TEST(Search, AnotherVersionsLibraryIsNotLookedAt) {
  XHAL_CLAUSE("XHAL-LOADER-10");
  const TemporaryFolder root;
  write_manifest(root / "sim.json", "sim", {{"library", "\"missing.so\""}, {"abi", "\"0.9\""}});
  const Found found = find_in(root.path());
  const Candidate& candidate = candidate_at(found, "/sim.json");
  EXPECT_EQ(candidate.result, XHAL_ERROR_VERSION_MISMATCH);
  EXPECT_EQ(candidate.reason,
            "driver 'sim' is built for ABI 0.9, this libxhal has 0.1; install the driver that belongs to it");
  ASSERT_TRUE(candidate.manifest);
  EXPECT_EQ(candidate.manifest->name, "sim");
}

TEST(Search, OfTooManyManifestsTheFirstAreTaken) {
  XHAL_CLAUSE("XHAL-LOADER-24");
  const TemporaryFolder root;
  for (int i = 0; i < 257; ++i) {
    const std::string number = std::to_string(1000 + i);
    write_file(root / (number + ".json"), "{");
  }
  write_manifest(root / "1000.json", "first");
  const Found found = find_in(root.path());
  EXPECT_EQ(selected_names(found), Lines{"first"});
  EXPECT_EQ(found.candidates[255].place, root / "1255.json");
  EXPECT_EQ(found.candidates[256].place, root.path());
  EXPECT_EQ(found.candidates[256].decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED));
  EXPECT_NE(found.candidates[256].reason.find("more than 256 manifests"), std::string::npos)
      << found.candidates[256].reason;
}

TEST(Search, OfTooManyEntriesTheRestIsNotRead) {
  XHAL_CLAUSE("XHAL-LOADER-24");
  const TemporaryFolder root;
  write_file(root / "x", "");
  for (int i = 0; i < 4096; ++i) std::filesystem::create_hard_link(root / "x", root / std::to_string(i));
  const Found found = find_in(root.path());
  const Candidate& candidate = candidate_at(found, root.path());
  EXPECT_EQ(candidate.decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED));
  EXPECT_NE(candidate.reason.find("more than 4096 entries"), std::string::npos) << candidate.reason;
}

TEST(Search, AManifestAboveTheSizeLimitIsRefused) {
  XHAL_CLAUSE("XHAL-LOADER-4");
  const TemporaryFolder root;
  const std::string good = test::manifest_text("sim");
  write_file(root / "a.json", good + std::string(65536 - good.size(), ' '));
  write_file(root / "b.json", good + std::string(65537 - good.size(), ' '));
  const Found found = find_in(root.path());
  EXPECT_EQ(selected_names(found), Lines{"sim"});
  EXPECT_EQ(candidate_at(found, "/b.json").reason,
            "'" + (root / "b.json") +
                "' has 65537 bytes, more than the 65536 allowed; check that it is the right file");
}

TEST(Search, AMachineWithNothingIsNoError) {
  XHAL_CLAUSE("XHAL-INSTANCE-1");
  const TemporaryFolder root;
  Environment environment = bare_environment();
  environment.system_roots = {root / "none"};
  const Found found = find_checked({}, environment);
  EXPECT_EQ(found.result, XHAL_SUCCESS);
  EXPECT_TRUE(found.selected.empty());
  EXPECT_EQ(decisions(found), (Lines{"absent user ", "absent system drivers.d", "absent installation "}));
}

}  // namespace
}  // namespace xhal::discovery
