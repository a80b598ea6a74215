// SPDX-License-Identifier: Apache-2.0
#include "compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace xhal::bench {
namespace {

// Measurements of one thing, without those that did not succeed.
class Series {
 public:
  void add(double value) {
    if (!std::isnan(value)) values_.push_back(value);
  }
  [[nodiscard]] double median() const { return values_.empty() ? kUnmeasured : bench::median(values_); }
  [[nodiscard]] double least() const { return values_.empty() ? kUnmeasured : std::ranges::min(values_); }

 private:
  std::vector<double> values_;
};

}  // namespace

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void compare(benchmark::State& state, const Measure& ours, const std::vector<Reference>& references) {
  Series times;
  std::vector<Series> raw(references.size());
  std::vector<Series> ratios(references.size());
  for (auto _ : state) {
    const double time = ours();
    times.add(time);
    for (size_t i = 0; i < references.size(); ++i) {
      const double reference = references[i].measure();
      raw[i].add(reference);
      ratios[i].add(time / reference);
    }
  }
  state.counters["ns"] = times.median();
  state.counters["least"] = times.least();
  for (size_t i = 0; i < references.size(); ++i) {
    state.counters[std::string("least_") + references[i].name] = raw[i].least();
    state.counters[std::string("raw_") + references[i].name] = raw[i].median();
    state.counters[std::string("x_") + references[i].name] = ratios[i].median();
  }
}

void compare_gains(benchmark::State& state, const std::string& raw, const Measure& one_stream,
                   const Measure& two_streams, const std::function<double(int)>& by_threads) {
  struct Gain {
    Series one, two, gain;
    void add(double one_ns, double two_ns) {
      one.add(one_ns);
      two.add(two_ns);
      gain.add(one_ns / two_ns);
    }
  };
  Gain streams;
  Gain threads;
  for (auto _ : state) {
    const double one = one_stream();
    streams.add(one, two_streams());
    const double one_thread = by_threads(1);
    threads.add(one_thread, by_threads(2));
  }
  state.counters["ns"] = streams.two.median();
  state.counters["one_ns"] = streams.one.median();
  state.counters["stream_gain"] = streams.gain.median();
  state.counters[raw + "_gain"] = threads.gain.median();
  state.counters["least_stream_gain"] = streams.one.least() / streams.two.least();
  state.counters["least_" + raw + "_gain"] = threads.one.least() / threads.two.least();
}

}  // namespace xhal::bench
