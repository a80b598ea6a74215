// SPDX-License-Identifier: Apache-2.0
#include "frame/recorder.h"

#include <fmt/format.h>

#include <algorithm>

namespace xhal::conformance {

namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string to_string(const Failure& failure) {
  const std::string clause = failure.clause.empty() ? "" : failure.clause + ": ";
  const std::string detail = failure.message.empty() ? "" : ": " + failure.message;
  return fmt::format("{}{}{} [{}]", clause, failure.expression, detail, failure.where);
}

bool Recorder::asserted(Clause clause, bool holds) {
  const std::lock_guard lock(mutex_);
  asserted_.set(clause.index());
  return holds;
}

void Recorder::asserted_elsewhere(uint16_t clause_index) {
  const std::lock_guard lock(mutex_);
  if (clause_index < kClauseCount) asserted_.set(clause_index);
}

void Recorder::add(std::string_view clause, Where where, std::string_view expression, std::string message,
                   bool refusal) {
  Failure failure{std::string(clause), fmt::format("{}:{}", base_name(where.file), where.line),
                  std::string(expression), std::move(message)};
  const std::lock_guard lock(mutex_);
  if (failure_count_++ == 0) first_is_refusal_ = refusal;
  if (failures_.size() >= kMostFailures) return;
  failures_.push_back(failure);
  if (on_failure_) on_failure_(failure);
}

void Recorder::failed(std::string_view clause, Where where, std::string_view expression,
                      std::string message) {
  add(clause, where, expression, std::move(message), false);
}

void Recorder::refused(std::string_view clause, Where where, std::string_view expression,
                       std::string message) {
  add(clause, where, expression, std::move(message), true);
}

void Recorder::note(std::string text) {
  const std::lock_guard lock(mutex_);
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(std::move(text));
}

void Recorder::substitute(std::string why) {
  const std::lock_guard lock(mutex_);
  if (substitute_.empty()) substitute_ = std::move(why);
}

void Recorder::saw(std::span<const std::byte> array) {
  if (!takes_digest_) return;
  const std::lock_guard lock(mutex_);
  digest_.add(array);
}

void Recorder::saw_elsewhere(const std::string& hash, uint64_t size) {
  if (!takes_digest_) return;
  const std::lock_guard lock(mutex_);
  digest_.add(hash, size);
}

std::map<std::string, uint64_t> Recorder::seen_arrays() {
  const std::lock_guard lock(mutex_);
  return digest_.arrays();
}

bool Recorder::has_failed() {
  const std::lock_guard lock(mutex_);
  return failure_count_ > 0;
}

TestResult Recorder::result() {
  const std::lock_guard lock(mutex_);
  TestResult out;
  for (size_t i = 0; i < kClauseCount; ++i) {
    if (!asserted_.test(i)) continue;
    out.asserted.emplace_back(kClauseIds[i]);
    const bool declared =
        std::any_of(declared_.begin(), declared_.end(), [i](Clause clause) { return clause.index() == i; });
    if (!declared && failures_.size() < kMostFailures) {
      ++failure_count_;
      failures_.push_back(
          {"", "suite", std::string(kClauseIds[i]), "asserted, but missing in the test's list of clauses"});
    }
  }
  out.notes = notes_;
  out.substitute = substitute_;
  out.failures = failures_;
  if (takes_digest_) {
    out.digest = digest_.text();
    out.digest_bytes = digest_.bytes();
  }
  if (failure_count_ > 0) {
    out.outcome = first_is_refusal_ ? Outcome::kRefused : Outcome::kFailed;
    out.message = to_string(failures_.front());
    if (failure_count_ > 1) out.message += fmt::format(" (and {} more)", failure_count_ - 1);
  } else if (out.asserted.empty()) {
    out.outcome = Outcome::kInconclusive;
    out.message = "nothing was asserted";
  }
  return out;
}

}  // namespace xhal::conformance
