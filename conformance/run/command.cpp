// SPDX-License-Identifier: Apache-2.0
#include "run/command.h"

#include "report/print.h"
#include "report/report.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

namespace {

struct ExitWith {
  int code;
};

const char* tool = "xhal-conform";

}  // namespace

void name_tool(const char* name) { tool = name; }

void stop(int code, const std::string& text) {
  print(stderr, "{}: {}\n", tool, one_line(text));
  throw ExitWith{code};
}

void tell(const std::string& text) { print(stderr, "{}: {}\n", tool, one_line(text)); }

int ended(const std::function<int()>& work) {
  try {
    return work();
  } catch (const ExitWith& end) {
    return end.code;
  } catch (const std::exception& error) {
    print(stderr, "{}: {}; this is a defect of the suite or of the machine it runs on\n", tool,
          one_line(error.what()));
    return ending::kExitInternal;
  }
}

}  // namespace xhal::conformance
