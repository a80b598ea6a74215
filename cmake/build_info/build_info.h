// SPDX-License-Identifier: Apache-2.0
// What was built: the words behind every tool's --version and the head of every report.
#pragma once

namespace xhal::build {

// The project's version, "0.1.0".
const char* version();

// The full commit hash of the source, or "unknown" where the tree is neither a git checkout nor an archive made by git.
const char* commit();

// True when tracked files differed from that commit at build time.
bool dirty();

}  // namespace xhal::build
