// SPDX-License-Identifier: Apache-2.0
// The packaged library that multiplies matrices: found and loaded when a module of the pack xhal_matrix asks for it first.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

namespace xhal::sim {

class MatrixLibrary {
 public:
  // CBLAS's calls, with its constants as they are in every library.
  enum : int { kRowMajor = 101, kAsIs = 111, kTransposed = 112 };
  template <class T>
  using Gemm = void (*)(int order, int op_a, int op_b, int m, int n, int k, T alpha, const T* a, int lda,
                        const T* b, int ldb, T beta, T* c, int ldc);

  // `wanted`: a path, "none", or empty for the search. Null with a text, which names the package, when there is none that can be used. What
  // is found stays loaded: its own threads' ends and the processor's choice are made once.
  static MatrixLibrary* find(std::string_view wanted, std::string& why);

  // From any thread, several at once.
  template <class T, class... Arguments>
  void multiply(Arguments... arguments) {
    if (!one_at_a_time_) return gemm<T>()(arguments...);
    const std::lock_guard lock(calls_);
    gemm<T>()(arguments...);
  }
  // "OpenBLAS 0.3.21 ... of /usr/lib/...".
  [[nodiscard]] const std::string& about() const { return about_; }
  [[nodiscard]] bool is_one_at_a_time() const { return one_at_a_time_; }

  MatrixLibrary() = default;
  MatrixLibrary(const MatrixLibrary&) = delete;
  MatrixLibrary& operator=(const MatrixLibrary&) = delete;

 private:
  template <class T>
  [[nodiscard]] Gemm<T> gemm() const {
    if constexpr (sizeof(T) == sizeof(float)) {
      return f32_;
    } else {
      return f64_;
    }
  }
  bool open(const std::string& path, std::string& why);

  void* handle_ = nullptr;
  Gemm<float> f32_ = nullptr;
  Gemm<double> f64_ = nullptr;
  bool one_at_a_time_ = false;
  std::string about_;
  std::mutex calls_;
};

}  // namespace xhal::sim
