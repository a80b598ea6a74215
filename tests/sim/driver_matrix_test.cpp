// SPDX-License-Identifier: Apache-2.0
// The built-in pack xhal_matrix, against a plain triple loop. Elements are small integers, so that every order of sums gives the same bits.
#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include "harness.hpp"
#include "kernels/matrix_pack.hpp"

namespace xhal::sim_test {
namespace {

using sim::MatrixProduct;

xhal_result_t load_pack(xhal_device_t device, xhal_module_t& out) {
  auto desc = sized<xhal_module_desc_t>();
  desc.format = "builtin";
  desc.image = sim::kMatrixPack.data();
  desc.image_size = sim::kMatrixPack.size();
  return call().module_load(device, &desc, &out);
}

// Builds without the compiler of kernels have no format "builtin".
bool has_builtin_kernels(xhal_device_t device) {
  uint32_t claimed = 0;
  EXPECT_EQ(call().device_has_feature(device, XHAL_FEATURE_BUILTIN_KERNELS, &claimed), XHAL_SUCCESS);
  return claimed != 0;
}

template <class T>
T any_number() {
  return std::numeric_limits<T>::quiet_NaN();
}

// The three matrices of a product in host memory, with elements between rows and members that belong to nobody.
template <class T>
struct Case {
  explicit Case(const MatrixProduct& product, unsigned seed = 1) : p(product) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> small(-4, 4);
    const auto numbers = [&](uint64_t count) {
      std::vector<T> out(count);
      for (T& number : out) number = static_cast<T>(small(random));
      return out;
    };
    a = numbers(size(p.batch_a, p.transposed_a != 0 ? p.k : p.m, p.lda));
    b = numbers(size(p.batch_b, p.transposed_b != 0 ? p.n : p.k, p.ldb));
    c = numbers(size(p.batch_c, p.m, p.ldc));
  }

  // What c is to be, computed from what it is.
  [[nodiscard]] std::vector<T> expected() const {
    std::vector<T> out = c;
    for (uint64_t member = 0; member < p.batch; ++member) {
      const T* const left = a.data() + member * p.batch_a;
      const T* const right = b.data() + member * p.batch_b;
      for (uint64_t i = 0; i < p.m; ++i) {
        for (uint64_t j = 0; j < p.n; ++j) {
          double sum = 0;
          for (uint64_t l = 0; l < p.k; ++l) {
            sum += double(p.transposed_a != 0 ? left[l * p.lda + i] : left[i * p.lda + l]) *
                   double(p.transposed_b != 0 ? right[j * p.ldb + l] : right[l * p.ldb + j]);
          }
          T& cell = out[member * p.batch_c + i * p.ldc + j];
          cell = static_cast<T>(p.alpha * sum + (p.beta == 0 ? 0 : p.beta * double(cell)));
        }
      }
    }
    return out;
  }

  MatrixProduct p;
  std::vector<T> a, b, c;

 private:
  [[nodiscard]] uint64_t size(uint64_t between, uint64_t rows, uint64_t stride) const {
    return between * (p.batch - 1) + rows * stride;
  }
};

// Rows as long as they must be, and `gap` elements more; members `between` elements apart.
MatrixProduct product(uint64_t m, uint64_t n, uint64_t k, bool ta = false, bool tb = false,
                      uint64_t gap = 0) {
  MatrixProduct p = {};
  p.m = m;
  p.n = n;
  p.k = k;
  p.transposed_a = ta ? 1 : 0;
  p.transposed_b = tb ? 1 : 0;
  p.lda = (ta ? m : k) + gap;
  p.ldb = (tb ? k : n) + gap;
  p.ldc = n + gap;
  p.batch = 1;
  p.alpha = 1;
  return p;
}

MatrixProduct in_batch(MatrixProduct p, uint64_t batch, uint64_t gap = 0) {
  p.batch = batch;
  p.batch_a = (p.transposed_a != 0 ? p.k : p.m) * p.lda + gap;
  p.batch_b = (p.transposed_b != 0 ? p.n : p.k) * p.ldb + gap;
  p.batch_c = p.m * p.ldc + gap;
  return p;
}

// Compared as bits: a NaN that stays is the same NaN.
template <class T>
testing::AssertionResult same(const std::vector<T>& got, const std::vector<T>& wanted) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    const bool both_nan = std::isnan(got[i]) && std::isnan(wanted[i]);
    if (got[i] != wanted[i] && !both_nan)
      return testing::AssertionFailure() << "element " << i << " is " << got[i] << ", not " << wanted[i];
  }
  return testing::AssertionSuccess();
}

struct Grid {
  uint32_t groups[3] = {1, 1, 1};
  uint32_t items[3] = {1, 1, 1};
};

class Matrices : public testing::Test {
 protected:
  explicit Matrices(const char* options = "memory=256m") : machine(options) {}
  void SetUp() override {
    if (!has_builtin_kernels(device)) GTEST_SKIP() << "the simulator was built without built-in kernels";
    const xhal_result_t result = load_pack(device, module);
    if (result == XHAL_ERROR_UNSUPPORTED_IMAGE) GTEST_SKIP() << "no library of matrix products is installed";
    ASSERT_EQ(result, XHAL_SUCCESS) << last_text;
  }
  template <class T>
  xhal_kernel_t gemm() const {
    return get_kernel(module, sizeof(T) == 4 ? "xhal_gemm_f32" : "xhal_gemm_f64");
  }
  template <class T>
  void* upload(xhal_stream_t on, const std::vector<T>& numbers) const {
    void* const memory = allocate(device, std::max<uint64_t>(numbers.size(), 1) * sizeof(T));
    EXPECT_EQ(call().memory_copy(on, memory, numbers.data(), numbers.size() * sizeof(T)), XHAL_SUCCESS)
        << last_text;
    return memory;
  }
  template <class T>
  xhal_result_t launch(xhal_stream_t on, const std::vector<const void*>& cab, const MatrixProduct& p,
                       const Grid& grid) const {
    const std::vector<xhal_argument_t> arguments = {memory(cab[0]), memory(cab[1], XHAL_ACCESS_READ),
                                                    memory(cab[2], XHAL_ACCESS_READ), value(p)};
    xhal_launch_t shape = launch_of(arguments);
    std::copy_n(grid.groups, 3, shape.group_count);
    std::copy_n(grid.items, 3, shape.group_size);
    return call().kernel_launch(on, gemm<T>(), &shape);
  }
  template <class T>
  std::vector<T> result_of(const Case<T>& given, const Grid& grid = {}) const {
    const std::vector<const void*> cab = {upload(stream, given.c), upload(stream, given.a),
                                          upload(stream, given.b)};
    EXPECT_EQ(launch<T>(stream, cab, given.p, grid), XHAL_SUCCESS) << last_text;
    const std::vector<T> out = read_back<T>(stream, cab[0], given.c.size());
    for (const void* pointer : cab)
      EXPECT_EQ(call().memory_free(device, const_cast<void*>(pointer)), XHAL_SUCCESS);
    return out;
  }

  Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  xhal_module_t module = nullptr;
};

// One case in both widths.
#define EXPECT_PRODUCT(fixture_product, ...)                                            \
  do {                                                                                  \
    const Case<float> narrow(fixture_product);                                          \
    EXPECT_TRUE(same(result_of(narrow __VA_OPT__(, ) __VA_ARGS__), narrow.expected())); \
    const Case<double> wide(fixture_product);                                           \
    EXPECT_TRUE(same(result_of(wide __VA_OPT__(, ) __VA_ARGS__), wide.expected()));     \
  } while (false)

TEST_F(Matrices, AreMultipliedInEveryShapeAndOrientation) {
  constexpr uint64_t kShapes[][3] = {{1, 1, 1},    {2, 3, 5},     {1, 17, 9}, {33, 1, 8},
                                     {16, 16, 16}, {65, 40, 129}, {7, 130, 1}};
  for (const auto& shape : kShapes) {
    for (int op = 0; op < 4; ++op) {
      for (const uint64_t gap : {0u, 3u}) {
        SCOPED_TRACE(testing::Message()
                     << shape[0] << "x" << shape[1] << "x" << shape[2] << " op " << op << " gap " << gap);
        EXPECT_PRODUCT(product(shape[0], shape[1], shape[2], (op & 1) != 0, (op & 2) != 0, gap));
      }
    }
  }
}

TEST_F(Matrices, OfABatchLieAnyDistanceApart) {
  for (int op = 0; op < 4; ++op) {
    MatrixProduct p = in_batch(product(6, 9, 7, (op & 1) != 0, (op & 2) != 0, 2), 5, 11);
    EXPECT_PRODUCT(p);
    p.batch_a = 0;
    EXPECT_PRODUCT(p);
    p.batch_b = 0;
    EXPECT_PRODUCT(p);
  }
}

TEST_F(Matrices, AreScaledAndAdded) {
  for (const double alpha : {1.0, -2.0, 0.5, 0.0}) {
    for (const double beta : {0.0, 1.0, -3.0}) {
      MatrixProduct p = in_batch(product(19, 21, 23, false, true, 1), 2);
      p.alpha = alpha;
      p.beta = beta;
      SCOPED_TRACE(testing::Message() << alpha << " " << beta);
      EXPECT_PRODUCT(p);
    }
  }
}

TEST_F(Matrices, OldElementsAreNotReadWithoutBeta) {
  for (const uint64_t size : {4u, 40u, 150u}) {
    Case<float> given(product(size, size + 1, size + 2, true, false, 2));
    std::fill(given.c.begin(), given.c.end(), any_number<float>());
    const std::vector<float> got = result_of(given);
    EXPECT_FALSE(std::isnan(got[0]));
    EXPECT_TRUE(same(got, given.expected())) << "and the gaps keep their NaN";
  }
}

TEST_F(Matrices, WithoutAnInnerDimensionAreScaledAlone) {
  for (const double beta : {0.0, 1.0, -3.0}) {
    MatrixProduct p = in_batch(product(5, 6, 0, false, false, 2), 3);
    p.lda = 0;
    p.beta = beta;
    EXPECT_PRODUCT(p);
  }
  Case<float> given(product(5, 6, 0));
  std::fill(given.c.begin(), given.c.end(), any_number<float>());
  EXPECT_TRUE(same(result_of(given), std::vector<float>(30, 0)));
}

TEST_F(Matrices, WithoutElementsAreLeftAlone) {
  for (const auto& p : {product(0, 4, 4), product(4, 0, 4)}) {
    const Case<float> given(p);
    EXPECT_TRUE(same(result_of(given), given.c));
  }
  Case<float> none(in_batch(product(4, 4, 4), 1));
  none.p.batch = 0;
  EXPECT_TRUE(same(result_of(none), none.c));
}

TEST_F(Matrices, AreTheSameWhateverTheGrid) {
  const MatrixProduct p = in_batch(product(37, 53, 41, true, false, 3), 4, 5);
  const Grid grids[] = {{{1, 1, 1}, {64, 1, 1}},   {{3, 1, 1}, {1, 1, 1}},    {{1, 5, 1}, {4, 4, 1}},
                        {{1, 1, 3}, {1, 1, 1}},    {{7, 6, 2}, {8, 8, 8}},    {{53, 37, 4}, {1, 1, 1}},
                        {{200, 90, 9}, {1, 1, 1}}, {{70, 2, 1}, {1024, 1, 1}}};
  for (const Grid& grid : grids) {
    SCOPED_TRACE(testing::Message() << grid.groups[0] << "x" << grid.groups[1] << "x" << grid.groups[2]);
    EXPECT_PRODUCT(p, grid);
  }
}

TEST_F(Matrices, OfFractionsDifferByRoundingAlone) {
  Case<double> given(product(64, 48, 300));
  for (double& number : given.a) number += 0.1;
  for (double& number : given.b) number *= 0.3;
  const std::vector<double> wanted = given.expected();
  for (const Grid& grid : {Grid{}, Grid{{5, 7, 1}, {1, 1, 1}}}) {
    const std::vector<double> got = result_of(given, grid);
    for (size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 1e-11) << i;
  }
}

TEST_F(Matrices, WithRowsThatOverlapRaiseAFailure) {
  for (int which = 0; which < 3; ++which) {
    const xhal_stream_t other = make_stream(device);
    const Case<float> given(product(8, 8, 8));
    MatrixProduct p = given.p;
    (which == 0 ? p.lda : which == 1 ? p.ldb : p.ldc) = 7;
    const std::vector<const void*> cab = {upload(other, given.c), upload(other, given.a),
                                          upload(other, given.b)};
    ASSERT_EQ(launch<float>(other, cab, p, {}), XHAL_SUCCESS) << last_text;
    EXPECT_LT(call().stream_synchronize(other, XHAL_WAIT_FOREVER), 0) << which;
  }
}

TEST_F(Matrices, TakeWhatTheirParametersSayAndNothingElse) {
  auto info = sized<xhal_kernel_info_t>();
  ASSERT_EQ(call().kernel_get_info(gemm<float>(), &info), XHAL_SUCCESS);
  EXPECT_STREQ(info.name, "xhal_gemm_f32");
  EXPECT_EQ(info.parameter_count, 4u);
  const MatrixProduct p = product(4, 4, 4);
  void* const cells = allocate(device, 64);
  const xhal_argument_t cell = memory(cells);
  struct {
    MatrixProduct product;
    uint32_t more;
  } const longer = {p, 0};
  EXPECT_EQ(run(stream, gemm<float>(), {cell, cell, cell, value(longer)}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("104"), std::string::npos) << last_text;
  EXPECT_EQ(run(stream, gemm<float>(), {cell, cell, cell}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(run(stream, gemm<float>(), {cell, cell, value(p), cell}), XHAL_ERROR_INVALID_ARGUMENT);
  const xhal_argument_t too_large = memory(cells, XHAL_ACCESS_READ, uint64_t{1} << 20);
  EXPECT_LT(run(stream, gemm<float>(), {cell, too_large, cell, value(p)}), 0);
  xhal_kernel_t none = nullptr;
  EXPECT_EQ(call().module_get_kernel(module, "xhal_gemm_f16", &none), XHAL_ERROR_NOT_FOUND);
  void* global = nullptr;
  uint64_t size = 0;
  EXPECT_EQ(call().module_get_global(module, "a", &global, &size), XHAL_ERROR_NOT_FOUND);
}

TEST_F(Matrices, AreMultipliedWhenAGraphIsLaunched) {
  const Case<float> given(in_batch(product(20, 30, 40), 2));
  const std::vector<const void*> cab = {upload(stream, given.c), upload(stream, given.a),
                                        upload(stream, given.b)};
  expect_synchronized(stream);
  const xhal_stream_t origin = make_stream(device);
  ASSERT_EQ(call().stream_begin_capture(origin, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS);
  MatrixProduct p = given.p;
  ASSERT_EQ(launch<float>(origin, cab, p, {}), XHAL_SUCCESS) << last_text;
  p.beta = 1;
  ASSERT_EQ(launch<float>(origin, cab, p, {}), XHAL_SUCCESS) << last_text;
  p = {};  // what was captured is a copy
  xhal_graph_t graph = nullptr;
  ASSERT_EQ(call().stream_end_capture(origin, &graph), XHAL_SUCCESS) << last_text;
  EXPECT_TRUE(same(read_back<float>(stream, cab[0], given.c.size()), given.c)) << "captured, not run";
  xhal_graph_exec_t exec = nullptr;
  ASSERT_EQ(call().graph_instantiate(graph, 0, &exec), XHAL_SUCCESS) << last_text;
  // The module's end leaves what was instantiated.
  std::vector<float> twice = given.expected();
  for (float& number : twice) number *= 2;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS) << last_text;
    EXPECT_TRUE(same(read_back<float>(stream, cab[0], given.c.size()), twice));
  }
}

TEST_F(Matrices, OutliveTheirModuleWhereTheyWait) {
  const Case<float> given(product(20, 30, 40));
  const std::vector<const void*> cab = {upload(stream, given.c), upload(stream, given.a),
                                        upload(stream, given.b)};
  {
    Gate gate(stream);
    ASSERT_EQ(launch<float>(stream, cab, given.p, {}), XHAL_SUCCESS) << last_text;
    ASSERT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  }
  EXPECT_TRUE(same(read_back<float>(stream, cab[0], given.c.size()), given.expected()));
}

// A stride that the library has no number for. Memory between the rows is never touched and takes no pages.
class MatricesFarApart : public Matrices {
 protected:
  MatricesFarApart() : Matrices("devices=1,memory=12g") {}
};

TEST_F(MatricesFarApart, AreSummedByAPlainLoop) {
  constexpr uint64_t kStride = (uint64_t{1} << 31) + 1;
  const Case<float> given(product(2, 3, 4));
  auto* const a = static_cast<std::byte*>(allocate(device, (kStride + 4) * sizeof(float)));
  for (uint64_t row = 0; row < 2; ++row)
    ASSERT_EQ(call().memory_copy(stream, a + row * kStride * sizeof(float), given.a.data() + row * 4,
                                 4 * sizeof(float)),
              XHAL_SUCCESS)
        << last_text;
  void* const c = upload(stream, given.c);
  MatrixProduct p = given.p;
  p.lda = kStride;
  ASSERT_EQ(launch<float>(stream, {c, a, upload(stream, given.b)}, p, {}), XHAL_SUCCESS) << last_text;
  EXPECT_TRUE(same(read_back<float>(stream, c, given.c.size()), given.expected()));
}

// Many workers in the library at once: each stream's products are its own. Of sizes that need a buffer of the library, which is what
// calls from several threads would share by mistake.
class MatricesOfMany : public Matrices {
 protected:
  MatricesOfMany() : Matrices("units=8,memory=256m") {}
  void multiply_on_many_streams() {
    constexpr int kStreams = 8;
    constexpr int kRounds = 250;
    struct Lane {
      xhal_stream_t stream;
      Case<float> given;
      std::vector<const void*> cab;
      std::vector<float> wanted;
      std::vector<void*> results;
    };
    std::vector<Lane> lanes;
    for (unsigned i = 0; i < kStreams; ++i) {
      const xhal_stream_t on = make_stream(device);
      Case<float> given(product(128, 128, 128, (i & 1) != 0, (i & 2) != 0), i + 1);
      std::vector<float> wanted = given.expected();
      std::vector<const void*> cab = {upload(on, given.c), upload(on, given.a), upload(on, given.b)};
      lanes.push_back({on, std::move(given), std::move(cab), std::move(wanted), {}});
      expect_synchronized(on);
    }
    int wrong = 0;
    for (int round = 0; round < kRounds / 50; ++round) {
      for (Lane& lane : lanes)
        for (int i = 0; i < 50; ++i)
          lane.results.push_back(allocate(device, lane.given.c.size() * sizeof(float)));
      for (int i = 0; i < 50; ++i)
        for (Lane& lane : lanes)
          ASSERT_EQ(
              launch<float>(lane.stream, {lane.results[static_cast<size_t>(i)], lane.cab[1], lane.cab[2]},
                            lane.given.p, {}),
              XHAL_SUCCESS)
              << last_text;
      for (Lane& lane : lanes) {
        for (void* const result : lane.results) {
          wrong += read_back<float>(lane.stream, result, lane.wanted.size()) != lane.wanted ? 1 : 0;
          EXPECT_EQ(call().memory_free(device, result), XHAL_SUCCESS);
        }
        lane.results.clear();
      }
    }
    EXPECT_EQ(wrong, 0);
  }
};

TEST_F(MatricesOfMany, StreamsDoNotMeet) { multiply_on_many_streams(); }

// A library that tells how it was called: test_blas.c.
class MatricesOfATestLibrary : public Matrices {
 protected:
  explicit MatricesOfATestLibrary(const std::string& library = XHAL_TEST_BLAS)
      : Matrices(("units=4,memory=64m,matrix_library=" + library).c_str()) {}
  enum : int { kMeet = 2, kLookForOthers = 3 };
  // `count` products on as many streams; what each left in c.
  std::vector<std::vector<float>> products_on_streams(int count, int what) const {
    MatrixProduct p = product(4, 4, 4);
    p.alpha = what;
    std::vector<std::pair<xhal_stream_t, void*>> lanes;
    for (int i = 0; i < count; ++i) lanes.emplace_back(make_stream(device), allocate(device, 64));
    for (const auto& [on, c] : lanes)
      EXPECT_EQ(launch<float>(on, {c, c, c}, p, {}), XHAL_SUCCESS) << last_text;
    std::vector<std::vector<float>> out;
    for (const auto& [on, c] : lanes) out.push_back(read_back<float>(on, c, 3));
    return out;
  }
};

class MatricesOfASerialTestLibrary : public MatricesOfATestLibrary {
 protected:
  MatricesOfASerialTestLibrary() : MatricesOfATestLibrary(XHAL_TEST_BLAS_SERIAL) {}
};

TEST_F(MatricesOfATestLibrary, AreMultipliedByOneThreadEachAndAtTheSameTime) {
  for (const std::vector<float>& told : products_on_streams(2, kMeet)) {
    EXPECT_EQ(told[0], 1.0f) << "threads of the library";
    EXPECT_EQ(told[1], 1.0f) << "its other threads were ended, once";
    EXPECT_EQ(told[2], 1.0f) << "the other call came while this one was inside";
  }
}

TEST_F(MatricesOfASerialTestLibrary, AreMultipliedOneAfterTheOther) {
  for (const std::vector<float>& told : products_on_streams(16, kLookForOthers))
    EXPECT_EQ(told[2], 0.0f) << "calls at the same time";
}

class MatrixLibraries : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_builtin_kernels(Machine().device()))
      GTEST_SKIP() << "the simulator was built without built-in kernels";
  }
};

TEST_F(MatrixLibraries, OfOpenMpAndOfWideIntegersAreRefused) {
  const std::pair<const char*, const char*> cases[] = {{XHAL_TEST_BLAS_OPENMP, "OpenMP"},
                                                       {XHAL_TEST_BLAS_WIDE, "64 bits"}};
  for (const auto& [path, text] : cases) {
    const Machine machine(std::string("matrix_library=") + path);
    xhal_module_t module = nullptr;
    EXPECT_EQ(load_pack(machine.device(), module), XHAL_ERROR_UNSUPPORTED_IMAGE);
    EXPECT_NE(last_text.find(text), std::string::npos) << last_text;
  }
}

TEST_F(MatrixLibraries, ThatAreMissingAreToldByThePackagesName) {
  for (const std::string path : {"none", "/no/such/library.so", "/proc/self/exe"}) {
    const Machine machine("matrix_library=" + path);
    const xhal_device_t device = machine.device();
    xhal_module_t module = nullptr;
    EXPECT_EQ(load_pack(device, module), XHAL_ERROR_UNSUPPORTED_IMAGE) << path;
    EXPECT_NE(last_text.find("libopenblas0-pthread"), std::string::npos) << last_text;
    EXPECT_EQ(module, nullptr);
    // And nothing else changes.
    EXPECT_NE(load_test_image(device), nullptr);
    auto desc = sized<xhal_module_desc_t>();
    desc.format = "builtin";
    desc.image = "xhal";
    desc.image_size = 4;
    EXPECT_EQ(call().module_load(device, &desc, &module), XHAL_SUCCESS) << last_text;
  }
}

TEST_F(MatrixLibraries, ThatAreNoneHaveNoCallsOfMatrices) {
  const Machine machine(std::string("matrix_library=") + XHAL_TEST_IMAGE);
  xhal_module_t module = nullptr;
  EXPECT_EQ(load_pack(machine.device(), module), XHAL_ERROR_UNSUPPORTED_IMAGE);
  EXPECT_NE(last_text.find("cblas_sgemm"), std::string::npos) << last_text;
}

}  // namespace
}  // namespace xhal::sim_test
