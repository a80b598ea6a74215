// SPDX-License-Identifier: Apache-2.0
// What xhal-mutate is tested on: every kind of place that it takes, each of which changes a number below, and what it must leave alone.
#include "sample.hpp"

#include <array>
#include <string>

namespace xhal::mutation_test {
namespace {

constexpr int kTen = 4 + 6;  // a constant has no alternative at run time
std::string text_of(int number) { return "if (number < 3) { f(); }" + std::to_string(number); }

struct Counter {
  int value = 1;
  void add(int more) { value += more; }
  bool is_above(int bound) const { return value > bound; }
};

int sum_up_to(int last) {
  int sum = 0;
  for (int i = 0; i <= last; ++i) {
    sum += i;
  }
  return sum;
}

int halvings(int number) {
  int count = 0;
  while (number > 1) {
    number /= 2;
    ++count;
  }
  return count;
}

bool is_odd(int number) {
  if (number % 2 == 0) return false;
  return true;
}

}  // namespace

std::vector<long> numbers() {
  Counter counter;
  counter.add(5);
  const std::array<int, 2 + 1> three = {1, 2, 3};
  const int last = three[2];
  const int difference = last - kTen;
  return {sum_up_to(4),  halvings(64), is_odd(3),           is_odd(4),
          counter.value, difference,   counter.is_above(6), static_cast<long>(text_of(1).size())};
}

}  // namespace xhal::mutation_test
