// SPDX-License-Identifier: Apache-2.0
#include "bench/runner/contention.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include "bench/runner/clock.hpp"

namespace xhal::bench {
namespace {

double seconds_of(const timeval& time) {
  constexpr double kMicro = 1e-6;
  return static_cast<double>(time.tv_sec) + kMicro * static_cast<double>(time.tv_usec);
}

double seconds_of_usage(int who) {
  rusage usage{};
  return getrusage(who, &usage) == 0 ? seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime) : 0;
}

}  // namespace

ProcessorTime processor_time() {
  // "cpu user nice system idle iowait irq softirq steal ..."
  std::ifstream in("/proc/stat");
  std::string word;
  double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  if (!(in >> word >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal)) return {};
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto processors = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  const double now = std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
  return {(user + nice + system + irq + softirq + steal) / ticks,
          seconds_of_usage(RUSAGE_SELF) + seconds_of_usage(RUSAGE_CHILDREN), now * processors};
}

Contention contention_since(const ProcessorTime& begin) {
  const ProcessorTime now = processor_time();
  return {std::max((now.used - begin.used) - (now.own - begin.own), 0.0), now.passed - begin.passed};
}

}  // namespace xhal::bench
