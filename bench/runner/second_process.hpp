// SPDX-License-Identifier: Apache-2.0
// This program, started again, or its sibling: for rows that take a process of their own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace xhal::bench {

class Bench;

class SecondProcess {
 public:
  // Launches one empty kernel and ends; `does_nothing`: ends at once.
  static SecondProcess first_launch(const Bench& bench, bool does_nothing);
  // The same, and tells before its end how many of its bytes are resident, as a uint64_t.
  static SecondProcess resident_bytes(const Bench& bench, bool does_nothing);
  // Opens the driver, asks its devices what they are, and ends.
  static SecondProcess enumeration(const Bench& bench);
  // xhal-info, which does so in a child and prints it, here to nowhere. Throws NotHere unless it lies beside this program.
  static SecondProcess info(const Bench& bench);
  // Exports memory of its own, all words of which are kExported, tells the handle's bytes, and ends when nobody listens any more.
  static SecondProcess exporter(const Bench& bench, uint64_t size);
  static constexpr uint64_t kExported = 0x5ca1ab1e0ddba115;

  SecondProcess(SecondProcess&& other) noexcept;
  SecondProcess& operator=(SecondProcess&&) = delete;
  ~SecondProcess();

  // What is prepared is run, as often as wanted. Throws NotHere.
  void start();
  // So many bytes that the process tells; throws RowFailed.
  std::vector<unsigned char> read(size_t size);
  // Waits for the end, after it was told that nobody listens; throws RowFailed unless the process says that all went well.
  void finish();

 private:
  explicit SecondProcess(std::vector<std::string> arguments);

  std::string program_ = "/proc/self/exe";
  bool is_silent_ = false;  // what it prints goes nowhere
  std::vector<std::string> arguments_;
  std::vector<char*> words_;  // of arguments_
  int channel_ = -1;          // the other end is the process's standard input
  pid_t pid_ = -1;
};

// To be called first of all in main(): whether this is such a process, whose exit code it gives.
bool run_as_second_process(int argc, char** argv, int* code);

}  // namespace xhal::bench
