// SPDX-License-Identifier: Apache-2.0
#include "bench/runner/other_threads.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "bench/runner/row.hpp"

namespace xhal::bench {
namespace {

// One look may meet a thread that sleeps for a lock's sake in the middle of its work.
constexpr int kLooks = 3;
constexpr std::chrono::seconds kPatience{10};

// True for a thread that is gone.
bool sleeps(const std::string& thread) {
  const std::string path = "/proc/self/task/" + thread + "/stat";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return true;
  std::array<char, 256> text = {};
  const ssize_t length = read(file, text.data(), text.size() - 1);
  close(file);
  if (length <= 0) return true;
  // "1234 (name) S ...", and a name may hold anything.
  const char* const name_end = std::strrchr(text.data(), ')');
  return name_end != nullptr && name_end[1] == ' ' && name_end[2] == 'S';
}

std::vector<std::string> threads_but(const std::string& one) {
  std::vector<std::string> names;
  DIR* const folder = opendir("/proc/self/task");
  if (folder == nullptr) return names;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.' && one != entry->d_name) names.emplace_back(entry->d_name);
  }
  closedir(folder);
  return names;
}

template <class Condition>
bool comes_true(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (int seen = 0; seen < kLooks;) {
    seen = condition() ? seen + 1 : 0;
    if (seen != 0) continue;
    if (std::chrono::steady_clock::now() > end) return false;
    sched_yield();
  }
  return true;
}

}  // namespace

pid_t this_thread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

bool falls_asleep(pid_t thread) {
  const std::string name = std::to_string(thread);
  return comes_true([&] { return sleeps(name); });
}

void wait_until_others_sleep() {
  const std::string me = std::to_string(this_thread());
  if (!comes_true([&] { return std::ranges::all_of(threads_but(me), sleeps); }))
    throw NotHere("the other threads of the process do not fall asleep");
}

}  // namespace xhal::bench
