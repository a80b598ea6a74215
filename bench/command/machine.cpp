// SPDX-License-Identifier: Apache-2.0
#include "bench/command/machine.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/limits/raw_costs.hpp"

namespace xhal::bench {
namespace {

std::string first_line(const char* path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// "cpu user nice system idle iowait irq softirq steal ..."
double stolen_share() {
  std::ifstream in("/proc/stat");
  std::string word;
  in >> word;
  constexpr size_t kSteal = 7;
  double sum = 0;
  double stolen = 0;
  for (size_t i = 0; i <= kSteal; ++i) {
    double ticks = 0;
    if (!(in >> ticks)) return 0;
    sum += ticks;
    if (i == kSteal) stolen = ticks;
  }
  return sum > 0 ? stolen / sum : 0;
}

}  // namespace

nlohmann::json machine_state() {
  std::vector<double> trips;
  constexpr int kTimes = 5;
  for (int i = 0; i < kTimes; ++i) trips.push_back(raw_spin_round_trip(200));
  std::ranges::sort(trips);
  double load = 0;
  if (getloadavg(&load, 1) != 1) load = 0;
  return {{"load_average", load},
          {"stolen_share", stolen_share()},
          {"clock_source", first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource")},
          {"spin_round_trip_ns", trips[kTimes / 2]}};
}

}  // namespace xhal::bench
