// SPDX-License-Identifier: Apache-2.0
#include "selection.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "manifest.hpp"
#include "text.hpp"

namespace xhal::discovery {

namespace {

bool is_usable(const Candidate& candidate) {
  return candidate.decision == XHAL_CANDIDATE_SELECTED || candidate.decision == XHAL_CANDIDATE_NOT_ASKED;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What is wished for.
struct Wish {
  bool everything = false;
  std::vector<std::string> wanted;    // unless everything
  std::vector<std::string> left_out;  // of either
  std::string asker;                  // who wishes so, for messages
};

Wish read_wish(const Request& request, const Environment& environment) {
  const bool is_driver = request.kind == Kind::kDriver;
  Wish wish;
  std::vector<std::string> names;
  if (request.selection) {
    names = *request.selection;
    wish.asker = is_driver ? "the list of drivers" : "the list of layers";
  } else {
    wish.asker = is_driver ? "XHAL_DRIVERS" : "XHAL_LAYERS";
    if (const auto list = environment.variable(wish.asker.c_str())) {
      names = split_names(*list);
    } else {
      wish.everything = is_driver;  // no layer is on unless it is asked for [XHAL-LAYER-1]
      wish.asker += ", which is not set";
    }
  }
  for (std::string& name : names) {
    const bool is_left_out = name.starts_with('-');
    if (is_left_out) name.erase(0, 1);
    std::vector<std::string>& list = is_left_out ? wish.left_out : wish.wanted;
    if (!name.empty() && !contains(list, name)) list.push_back(std::move(name));
  }
  if (is_driver && wish.wanted.empty() && !wish.left_out.empty()) wish.everything = true;
  return wish;
}

class Selector {
 public:
  Selector(Kind kind, const Wish& wish, Found& found) : kind_(kind), wish_(wish), found_(found) {}

  void run(std::size_t explicit_end) {
    for (std::size_t i = 0; i < found_.candidates.size(); ++i) decide(found_.candidates[i], i < explicit_end);
    for (std::size_t i = explicit_end; i < found_.candidates.size(); ++i)
      warn_if_missed(found_.candidates[i]);
    for (const std::string& name : wish_.wanted) {
      if (!contains(wish_.left_out, name)) take(name);
    }
    for (const std::string& name : wish_.left_out) tell_if_nothing_is_left_out(name);
  }

 private:
  // What has no name that can be read would have been taken where everything is.
  void warn_if_missed(const Candidate& candidate) {
    if (candidate.decision != XHAL_CANDIDATE_REFUSED) return;
    const std::string name = candidate.manifest ? candidate.manifest->name : "";
    if (contains(wish_.left_out, name) || (!wish_.everything && !contains(wish_.wanted, name))) return;
    found_.warnings.push_back(quoted(candidate.place) + " was left out: " + candidate.reason);
  }

  void decide(Candidate& candidate, bool is_explicit) {
    if (candidate.decision != XHAL_CANDIDATE_SELECTED || !candidate.manifest) return;
    const std::string& name = candidate.manifest->name;
    const bool is_left_out = contains(wish_.left_out, name);
    if (is_explicit || (wish_.everything && !is_left_out)) {
      found_.selected.push_back(*candidate.manifest);
    } else if (is_left_out || !contains(wish_.wanted, name)) {
      candidate.decision = XHAL_CANDIDATE_NOT_ASKED;
      const std::string note = candidate.reason.empty() ? "" : "; " + candidate.reason;
      candidate.reason = (is_left_out ? "left out by " : "not named by ") + wish_.asker + note;
    }
  }

  void take(const std::string& name) {
    for (const Manifest& manifest : found_.selected) {
      if (manifest.name == name) return;
    }
    for (const Candidate& candidate : found_.candidates) {
      if (candidate.decision != XHAL_CANDIDATE_SELECTED || !candidate.manifest) continue;
      if (candidate.manifest->name != name) continue;
      found_.selected.push_back(*candidate.manifest);
      return;
    }
    fail_for_missing(name);
  }

  void tell_if_nothing_is_left_out(const std::string& name) {
    const std::vector<std::string> names = names_found();
    if (contains(names, name)) return;
    Candidate& candidate = found_.candidates.emplace_back();
    candidate.origin = "selection";
    candidate.place = "-" + name;
    candidate.reason = std::string("nothing to leave out: no ") + name_of(kind_) + " " + quoted(name, 64) +
                       " was found" + did_you_mean(name, names);
  }

  std::vector<std::string> names_found() const {
    std::vector<std::string> names;
    for (const Candidate& candidate : found_.candidates) {
      if (is_usable(candidate) && !plain_name(candidate).empty()) names.emplace_back(plain_name(candidate));
    }
    return names;
  }

  // [XHAL-LOADER-30]
  void fail_for_missing(const std::string& name) {
    const std::string what =
        std::string(name_of(kind_)) + " " + quoted(name, 64) + ", which " + wish_.asker + " asks for, ";
    for (const Candidate& candidate : found_.candidates) {
      if (candidate.decision != XHAL_CANDIDATE_REFUSED) continue;
      const bool is_it = candidate.manifest ? candidate.manifest->name == name
                                            : candidate.place.ends_with("/" + name + ".json");
      if (is_it)
        return fail(candidate.result,
                    what + "was refused: " + quoted(candidate.place) + ": " + candidate.reason);
    }
    const std::vector<std::string> names = names_found();
    fail(not_found_result(kind_), what + "was not found" + did_you_mean(name, names) +
                                      "; found: " + (names.empty() ? "nothing" : quoted_list(names)) +
                                      "; see why with xhal-info --why");
  }

  // The first failure is told; the rest are among the candidates.
  void fail(xhal_result_t result, std::string text) {
    if (found_.result != XHAL_SUCCESS) return;
    found_.result = result;
    found_.text = std::move(text);
  }

  Kind kind_;
  const Wish& wish_;
  Found& found_;
};

}  // namespace

std::string_view plain_name(const Candidate& candidate) {
  return candidate.manifest ? std::string_view(candidate.manifest->name) : std::string_view();
}

xhal_result_t not_found_result(Kind kind) {
  return kind == Kind::kDriver ? XHAL_ERROR_DRIVER_NOT_FOUND : XHAL_ERROR_NOT_FOUND;
}

void select(const Request& request, const Environment& environment, std::size_t explicit_end, Found& found) {
  const Wish wish = read_wish(request, environment);
  Selector(request.kind, wish, found).run(explicit_end);
}

}  // namespace xhal::discovery
