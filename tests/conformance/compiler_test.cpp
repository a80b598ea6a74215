// SPDX-License-Identifier: Apache-2.0
// A vendor's own compiler makes the kernels: what it is asked, what the tests then load, what is kept, and whose mistake it is where that fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "conform.hpp"
#include "fifo.hpp"

#ifdef XHAL_CONFORM_HAS_KERNELS

namespace xhal::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

// Beside the program: what a compiler that compiles nothing hands out.
std::string built_kernels() {
  return fs::path(XHAL_CONFORM_PROGRAM).parent_path().parent_path() / "share/xhal/kernels";
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// A pack of two texts, a compiler, and a cache.
class Bench {
 public:
  explicit Bench(const std::string& body = kCopies) {
    fs::create_directory(folder.file("pack"));
    json manifest = json::parse(read_text(built_kernels() + "/manifest.json"));
    json image = manifest.at("images").at(0);
    json images = json::array();
    for (const char* version : {"1.2", "2.0"}) {
      image["format"] = "opencl-c";
      image["target"] = version;
      image["file"] = std::string(version) + ".cl";
      images.push_back(image);
      write_text(folder.file("pack/") + version + ".cl", std::string("// OpenCL C ") + version + "\n");
    }
    manifest["images"] = images;
    write_text(folder.file("pack/manifest.json"), manifest.dump());
    program("compiler", body);
  }

  // A script that has its arguments in variables of their names, and counts its calls.
  void program(const std::string& name, const std::string& body) {
    const std::string path = folder.file(name);
    write_text(path, "#!/bin/bash\nhere='" + folder.file("") + "' kernels='" + built_kernels() +
                         "'\n"
                         "echo \"$*\" >>\"$here/calls\"\n"
                         "while [ $# -gt 1 ]; do\n"
                         "  case $1 in --*) declare \"${1#--}=$2\"; shift ;; esac\n"
                         "  shift\n"
                         "done\n" +
                         body + "\n");
    fs::permissions(path, fs::perms::owner_all);
  }

  [[nodiscard]] Words arguments(const std::string& command = "") const {
    return {"--backend",         "sim",
            "--filter",          "kernel.axpy/*",
            "--kernels",         folder.file("pack"),
            "--kernel-compiler", command.empty() ? folder.file("compiler") : command,
            "--kernel-cache",    folder.file("cache")};
  }
  [[nodiscard]] Ending run(const Words& more = {}, const std::string& command = "") const {
    return judge(arguments(command) + more);
  }
  [[nodiscard]] Words calls() const {
    Words out;
    std::ifstream in(folder.file("calls"));
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
  [[nodiscard]] std::vector<fs::path> entries() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder.file("cache"))) out.push_back(entry.path());
    return out;
  }

  static constexpr const char* kCopies =
      "[ \"$format\" = native ] || exit 3\ncp \"$kernels/xhal_pack.native.$target.so\" \"$output\"";

  const TemporaryFolder folder;
};

bool passed(const Ending& ending) {
  const auto all = tests_with(ending.report, "");
  return ending.exit_code == 0 && !all.empty() && tests_with(ending.report, "passed") == all;
}

// What the file of the only image in the only entry of the cache is called.
fs::path image_of(const fs::path& entry) {
  const json manifest = json::parse(read_text(entry / "manifest.json"));
  EXPECT_EQ(manifest.at("images").size(), 1U);
  return entry / manifest.at("images").at(0).at("file").get<std::string>();
}

TEST(KernelCompiler, IsAskedForTheBestFormatOfTheLatestText) {
  const Bench bench;
  const Ending ending = bench.run();
  EXPECT_TRUE(passed(ending)) << ending.out << ending.err;
  ASSERT_EQ(bench.calls().size(), 1U);
  const std::string call = bench.calls().front();
  EXPECT_TRUE(call.starts_with("--source " + bench.folder.file("pack/2.0.cl") +
                               " --language opencl-c --format native --target x86-64-v"))
      << call;
  EXPECT_TRUE(call.ends_with(" --option -cl-std=CL2.0")) << call;
  ASSERT_EQ(bench.entries().size(), 1U);
  const std::string folder = ending.report.at("options").at("kernels");
  EXPECT_EQ(folder, bench.entries().front());
  const json image = json::parse(read_text(folder + "/manifest.json")).at("images").at(0);
  EXPECT_EQ(image.at("format"), "native");
  EXPECT_NE(call.find("--target " + image.at("target").get<std::string>() + " "), std::string::npos);
  EXPECT_NE(ending.err.find("kernels: in " + folder), std::string::npos) << ending.err;
}

// What the compiler makes is what the tests load, and nothing else that the device would take.
TEST(KernelCompiler, NothingStandsInForItsImage) {
  const Bench bench("echo 'no image of any format' >\"$output\"");
  const Ending ending = bench.run();
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_EQ(tests_with(ending.report, "inconclusive"), tests_with(ending.report, "")) << ending.out;
}

TEST(KernelCompiler, NextFormatIsTriedWhereItMakesNotThis) {
  Bench bench(
      std::string("[ \"$target\" = x86-64-v2 ] || exit 3\n[ \"$option\" = -cl-std=CL1.2 ] || exit 3\n") +
      Bench::kCopies);
  const Ending ending = bench.run();
  EXPECT_TRUE(passed(ending)) << ending.out << ending.err;
  const Words calls = bench.calls();
  ASSERT_GE(calls.size(), 2U);
  EXPECT_NE(calls.back().find("--target x86-64-v2"), std::string::npos);
  EXPECT_NE(calls.back().find("1.2.cl"), std::string::npos);
  EXPECT_NE(calls[calls.size() - 2].find("2.0.cl"), std::string::npos);
  // Of several compilers the first that makes it.
  bench.program("other", "exit 3");
  const Ending second = judge(Words{"--kernel-compiler", bench.folder.file("other")} + bench.arguments());
  EXPECT_TRUE(passed(second)) << second.out << second.err;
}

TEST(KernelCompiler, WhatWasMadeIsNotMadeAgain) {
  Bench bench;
  EXPECT_TRUE(passed(bench.run()));
  EXPECT_TRUE(passed(bench.run()));
  EXPECT_EQ(bench.calls().size(), 1U);
  // Until something changes of which it is made.
  EXPECT_TRUE(passed(bench.run({}, bench.folder.file("compiler") + " --fast yes")));
  EXPECT_EQ(bench.calls().size(), 2U);
  EXPECT_TRUE(bench.calls().back().starts_with("--fast yes --source "));
  write_text(bench.folder.file("pack/2.0.cl"), "// another text\n");
  EXPECT_TRUE(passed(bench.run()));
  EXPECT_EQ(bench.calls().size(), 3U);
  bench.program("compiler", std::string("# another compiler\n") + Bench::kCopies);
  EXPECT_TRUE(passed(bench.run()));
  EXPECT_EQ(bench.calls().size(), 4U);
  EXPECT_EQ(bench.entries().size(), 4U);
}

TEST(KernelCompiler, WhatWasDamagedIsMadeAgain) {
  const Bench bench;
  EXPECT_TRUE(passed(bench.run()));
  ASSERT_EQ(bench.entries().size(), 1U);
  const fs::path entry = bench.entries().front();
  const fs::path image = image_of(entry);
  const std::vector<std::function<void()>> damages = {
      [&] { fs::resize_file(image, fs::file_size(image) / 2); },
      [&] { write_text(image, "another image"); },
      [&] { write_text(entry / "manifest.json", R"({"schema": 1, "pack": "xhal", "images": []})"); },
      [&] { write_text(entry / "SHA256SUMS", ""); },
      [&] { fs::remove(image); },
      [&] {
        fs::remove_all(entry);
        write_text(entry, "a file");
      },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    damages[i]();
    const Ending ending = bench.run();
    EXPECT_TRUE(passed(ending)) << i << ending.out << ending.err;
    EXPECT_EQ(bench.calls().size(), i + 2);
    EXPECT_EQ(bench.entries().size(), 1U) << "damage " << i << " leaves something behind";
  }
}

TEST(KernelCompiler, TwoRunsAtOnceShareTheCache) {
  const Bench bench;
  const Words command = Words{XHAL_CONFORM_PROGRAM} + bench.arguments();
  Program first(command, {});
  Program second(command, {});
  EXPECT_EQ(first.wait(), 0) << first.err();
  EXPECT_EQ(second.wait(), 0) << second.err();
  EXPECT_EQ(bench.entries().size(), 1U);
  EXPECT_EQ(std::distance(fs::directory_iterator(bench.entries().front()), fs::directory_iterator()), 3);
}

TEST(KernelCompiler, CacheIsTheUsersUnlessNamed) {
  const Bench bench;
  Words words = bench.arguments();
  words.resize(words.size() - 2);
  const Ending ending = run_conform(words, {{"XDG_CACHE_HOME", bench.folder.file("users")}});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_TRUE(fs::is_directory(bench.folder.file("users/xhal/kernels")));
  write_text(bench.folder.file("file"), "");
  expect_refused(words + Words{"--kernel-cache", bench.folder.file("file")}, 2, "--kernel-cache");
}

TEST(KernelCompiler, ItsFailuresAreToldAsItsOwn) {
  struct Case {
    const char* body;
    int exit_code;
    const char* says;
  };
  for (const Case& one : {
           Case{"echo 'all is well'; echo 'line 7: no such type' >&2; exit 9", 1,
                "exited with code 9; it printed: all is well | line 7: no such type"},
           Case{"kill -SEGV $$", 1, "crashed with SIGSEGV; it printed nothing"},
           Case{"exec sleep infinity", 1, "did not answer within 0.3 s and was killed"},
           Case{"exit 0", 1, "exited with code 0 and wrote no image"},
           Case{": >\"$output\"", 1, "wrote no image"},
           Case{"mkdir \"$output\"", 1, "wrote no image"},
           Case{"exit 3", 2, "makes nothing that the device loads (native x86-64-v"},
       }) {
    const Bench bench(one.body);
    Words words = bench.arguments();
    if (std::string(one.body).find("sleep") != std::string::npos)
      words = words + Words{"--kernel-compiler-timeout", "0.3"};
    expect_refused(words, one.exit_code, one.says);
    EXPECT_TRUE(bench.entries().empty()) << one.body;
  }
}

TEST(KernelCompiler, WrongCommandsAreRefused) {
  const Bench bench;
  write_text(bench.folder.file("text"), "no program");
  for (const auto& [command, says] : std::vector<std::pair<std::string, std::string>>{
           {"/no/such/compiler", "there is no such program"},
           {"no-such-compiler-anywhere", "there is no such program"},
           {bench.folder.file("text"), "it cannot be executed"},
           {bench.folder.file("pack"), "it is a folder"},
           {"'no end", "a ' has no end"},
           {"  ", "name a program"},
           {"''", "name a program"},
       }) {
    expect_refused(bench.arguments(command), 2, says);
  }
  expect_refused({"--backend", "sim", "--kernel-cache", bench.folder.file("cache")}, 2, "--kernel-compiler");
  expect_refused(bench.arguments() + Words{"--kernel-compiler-timeout", "0"}, 2);
  expect_refused(bench.arguments() + Words{"--list"}, 2);
  fs::remove(bench.folder.file("pack/2.0.cl"));
  expect_refused(bench.arguments(), 2, "2.0.cl");
}

TEST(KernelCompiler, WordsOfTheCommandAreItsArguments) {
  Bench bench;
  fs::rename(bench.folder.file("compiler"), bench.folder.file("my compiler"));
  const std::string quoted = "'" + bench.folder.file("my compiler") + "' --a 'b  c' --d \"e'f\" --g h\\ i";
  EXPECT_TRUE(passed(bench.run({}, quoted)));
  ASSERT_EQ(bench.calls().size(), 1U);
  EXPECT_TRUE(bench.calls().front().starts_with("--a b  c --d e'f --g h i --source "))
      << bench.calls().front();
}

// The measurements judge with the same kernels as the suite does.
TEST(KernelCompiler, EveryCommandThatRunsKernelsTakesIt) {
  const std::vector<Words> commands = {
      {"fuzz", "--backend", "sim", "--programs", "2", "--no-gate-rotation"},
      {"faults", "--over", "sim", "--fault", "launch_drops_a_group"},
      {"variants", "--over", "sim", "--variant", "coarse_timer", "--filter", "kernel.axpy/*"}};
  for (const Words& command : commands) {
    const Bench bench;
    const Words named = {"--kernels",         bench.folder.file("pack"),
                         "--kernel-compiler", bench.folder.file("compiler"),
                         "--kernel-cache",    bench.folder.file("cache")};
    const Ending ending = run_conform(command + named);
    EXPECT_NE(ending.exit_code, 2) << ending.err;
    EXPECT_EQ(bench.calls().size(), 1U) << command.front() << ": " << ending.err;
    EXPECT_NE(ending.err.find("kernels: in " + bench.folder.file("cache")), std::string::npos) << ending.err;
    // Its failure is the command's.
    const Bench broken("exit 1");
    const Ending refused = run_conform(command + Words{"--kernels", broken.folder.file("pack"),
                                                       "--kernel-compiler", broken.folder.file("compiler"),
                                                       "--kernel-cache", broken.folder.file("cache")});
    EXPECT_EQ(refused.exit_code, 1) << command.front() << ": " << refused.out << refused.err;
    EXPECT_TRUE(is_one_line(refused.err)) << refused.err;
  }
  expect_refused({"faults", "--over", "sim", "--list", "--kernel-compiler", "cc"}, 2);
  expect_refused({"variants", "--over", "sim", "--list", "--kernel-compiler", "cc"}, 2);
  expect_refused({"fuzz", "--backend", "sim", "--kernel-cache", "folder"}, 2, "--kernel-compiler");
}

TEST(KernelCompiler, AnInterruptionEndsIt) {
  Bench bench("echo >\"$here/begun\"\nexec sleep infinity");
  const Fifo begun(bench.folder.file("begun"));
  Program program(Words{XHAL_CONFORM_PROGRAM} + bench.arguments(), {});
  ASSERT_TRUE(begun.wait_for_the_driver());
  kill(program.pid(), SIGINT);
  EXPECT_EQ(program.wait(), 130) << program.err();
  EXPECT_TRUE(bench.entries().empty());
}

}  // namespace
}  // namespace xhal::test

#endif
