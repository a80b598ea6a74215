// SPDX-License-Identifier: Apache-2.0
// What an instance's search found, who was asked for, and what became of each candidate.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "discovery/discovery.hpp"
#include "library.hpp"
#include "xhal/instance.h"

namespace xhal::host {

// The search for drivers and the search for layers of one instance.
class Search {
 public:
  Search(const xhal_instance_desc_t& desc, const discovery::Environment& environment);

  // Of what was asked for explicitly and cannot be had, drivers before layers.
  Problem problem() const;
  const std::vector<discovery::Manifest>& drivers() const { return drivers_.selected; }
  const std::vector<discovery::Manifest>& layers() const { return layers_.selected; }

  // Named by the application or by a variable: a failure of it is an error of the instance, not a line in a list.
  bool is_asked_for(const discovery::Manifest& driver) const;
  // By its path.
  bool is_explicit(const discovery::Manifest& driver) const;
  // Somewhere in the lists, whatever was decided about it.
  bool knows(std::string_view name) const;
  // Names of all that was found, as far as manifests tell them.
  std::vector<std::string> names() const;
  // How many are selected without a manifest, so that only negotiation tells their names.
  size_t nameless() const;

  // A selected one that turned out not to be usable. It is not known as selected or explicit afterwards.
  void refuse(const discovery::Manifest& manifest, uint32_t decision, const Problem& problem);
  void tell(xhal_candidate_fn callback, void* user) const;
  // What the search refused although the selection would have taken it, a line each.
  std::vector<std::string> warnings() const;

 private:
  std::vector<std::string> asked_names_;  // of drivers
  discovery::Found drivers_;
  discovery::Found layers_;
};

}  // namespace xhal::host
