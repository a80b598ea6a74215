// SPDX-License-Identifier: Apache-2.0
// host.register and ipc.*: memory that the application or another process has made.
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/rows/row_parts.hpp"
#include "bench/runner/second_process.hpp"

namespace xhal::bench {
namespace {

// ---- Registration

constexpr uint64_t kManyPages = 1024;

uint64_t page_size() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

// Ordinary memory, all of it written.
class Pages {
 public:
  explicit Pages(uint64_t count)
      : size_(count * page_size()), memory_(std::aligned_alloc(page_size(), size_), &std::free) {
    if (memory_ == nullptr) throw NotHere("there is no room for " + std::to_string(size_) + " bytes");
    std::memset(memory_.get(), 1, size_);
  }
  [[nodiscard]] void* get() const { return memory_.get(); }
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  uint64_t size_;
  std::unique_ptr<void, decltype(&std::free)> memory_;
};

void need_registration(Bench& bench, const Pages& pages) {
  bench.need(XHAL_FEATURE_REGISTER, "register");
  const xhal_result_t result = xhal_memory_register(bench.device(), pages.get(), pages.size(), 0);
  if (result == XHAL_ERROR_PERMISSION || result == XHAL_ERROR_OUT_OF_HOST_MEMORY)
    throw NotHere("the system does not let memory be registered");
  check("xhal_memory_register", result);
  const xhal_pointer_attributes_t told = attributes_of(bench.driver(), pages.get());
  check("xhal_memory_unregister", xhal_memory_unregister(bench.device(), pages.get()));
  if (told.kind != XHAL_MEMORY_REGISTERED || told.base != pages.get() || told.size != pages.size())
    throw RowFailed("the attributes of registered memory tell something else");
}

Row register_and_unregister(Bench& bench, uint64_t count) {
  const auto pages = std::make_shared<Pages>(count);
  need_registration(bench, *pages);
  return call_row(bench, [pages](auto& lane) {
    check("xhal_memory_register",
          lane.calls().memory_register(lane.device(), pages->get(), pages->size(), 0u));
    check("xhal_memory_unregister", lane.calls().memory_unregister(lane.device(), pages->get()));
  });
}

bool may_lock(const Pages& pages) {
  return mlock(pages.get(), pages.size()) == 0 && munlock(pages.get(), pages.size()) == 0;
}

Side lock_pages_limit(const std::shared_ptr<Pages>& pages, const std::string& name) {
  return {name,
          [pages](uint64_t units) {
            return nanoseconds_each(units, [&] {
              mlock(pages->get(), pages->size());
              munlock(pages->get(), pages->size());
            });
          },
          1, 10'000};
}

Side touch_pages_limit(const std::shared_ptr<Pages>& pages, const std::string& name) {
  return {name,
          [pages](uint64_t units) {
            const auto* const first = static_cast<const std::byte*>(pages->get());
            return nanoseconds_each(units, [&] {
              for (uint64_t at = 0; at < pages->size(); at += page_size())
                benchmark::DoNotOptimize(*(first + at));
            });
          },
          1, 10'000};
}

// By the page: many of them less one. Beside keeping pages in memory, or reading of each where the system does not let them be kept.
Row each_page(Bench& bench) {
  const auto many = std::make_shared<Pages>(kManyPages);
  const auto one = std::make_shared<Pages>(1);
  const bool locks = may_lock(*many);
  Row row;
  for (const auto& pages : {many, one}) {
    Row part = register_and_unregister(bench, pages->size() / page_size());
    row.sides.push_back(std::move(part.sides.front()));
    row.sides.back().name = "xhal, pages=" + std::to_string(pages->size() / page_size());
  }
  for (const auto& pages : {many, one}) {
    const std::string with = ", pages=" + std::to_string(pages->size() / page_size());
    row.sides.push_back(locks ? lock_pages_limit(pages, "mlock" + with)
                              : touch_pages_limit(pages, "touch" + with));
  }
  row.value = [](std::span<const double> ns) { return (ns[0] - ns[1]) / (kManyPages - 1); };
  row.comparisons.push_back({locks ? "mlock" : "touch",
                             [](std::span<const double> ns) { return (ns[0] - ns[1]) / (ns[2] - ns[3]); },
                             Better::kLess});
  return row;
}

// ---- Other processes

constexpr uint64_t kShared = uint64_t{1} << 20;

using HandleBytes = std::vector<unsigned char>;

Row export_memory(Bench& bench) {
  bench.need(XHAL_FEATURE_IPC_MEMORY, "ipc_memory");
  const auto memory = std::make_shared<Memory>(bench.make_memory(XHAL_MEMORY_DEVICE, kShared));
  const auto bytes = std::make_shared<HandleBytes>(bench.properties().ipc_handle_bytes);
  Row row = call_row(bench, [memory, bytes](auto& lane) {
    check("xhal_ipc_export_memory",
          lane.calls().ipc_export_memory(lane.device(), static_cast<const void*>(memory->get()),
                                         uint64_t{bytes->size()}, static_cast<void*>(bytes->data())));
  });
  // Whoever exported it gets its own address.
  row.verify = [&bench, memory, bytes] {
    void* pointer = nullptr;
    check("xhal_ipc_import_memory",
          xhal_ipc_import_memory(bench.device(), bytes->data(), bytes->size(), &pointer));
    check("xhal_ipc_close_memory", xhal_ipc_close_memory(bench.device(), pointer));
    if (pointer != memory->get()) throw RowFailed("the handle is not of the memory that was exported");
  };
  return row;
}

void see_what_was_exported(Bench& bench, const HandleBytes& bytes) {
  void* pointer = nullptr;
  check("xhal_ipc_import_memory",
        xhal_ipc_import_memory(bench.device(), bytes.data(), bytes.size(), &pointer));
  std::vector<uint64_t> words(kShared / sizeof(uint64_t));
  {
    const Stream stream = bench.make_stream();
    check("xhal_memory_copy", xhal_memory_copy(stream, words.data(), pointer, kShared));
    wait_for(stream);
  }
  check("xhal_ipc_close_memory", xhal_ipc_close_memory(bench.device(), pointer));
  for (const uint64_t word : words) {
    if (word != SecondProcess::kExported) throw RowFailed("imported memory is not what was exported");
  }
}

Row open_and_close(Bench& bench) {
  bench.need(XHAL_FEATURE_IPC_MEMORY, "ipc_memory");
  const auto exporter = std::make_shared<SecondProcess>(SecondProcess::exporter(bench, kShared));
  exporter->start();
  const auto bytes = std::make_shared<HandleBytes>(exporter->read(bench.properties().ipc_handle_bytes));
  Row row = call_row(bench, [bytes](auto& lane) {
    void* pointer = nullptr;
    check("xhal_ipc_import_memory",
          lane.calls().ipc_import_memory(lane.device(), static_cast<const void*>(bytes->data()),
                                         uint64_t{bytes->size()}, &pointer));
    check("xhal_ipc_close_memory", lane.calls().ipc_close_memory(lane.device(), pointer));
  });
  row.verify = [&bench, bytes] { see_what_was_exported(bench, *bytes); };
  row.keeps.push_back(exporter);
  return row;
}

}  // namespace

void add_sharing_rows(Rows& rows) {
  for (const uint64_t count : {uint64_t{1}, kManyPages}) {
    rows.push_back({"host.register", parameter("pages", count), "ns",
                    "so many pages of ordinary memory registered and given back", "xhal / driver_table",
                    [=](Bench& bench) { return register_and_unregister(bench, count); }});
  }
  rows.push_back({"host.register", "slope", "ns", "each page more that is registered: 1,024 less one",
                  "(t(1,024) - t(1)) / (mlock(1,024) - mlock(1))", each_page});
  rows.push_back(
      {"ipc.export", "", "ns", "a handle of 1 MiB of device memory", "xhal / driver_table", export_memory});
  rows.push_back({"ipc.open_close", "", "ns", "memory of another process opened and closed by its handle",
                  "xhal / driver_table", open_and_close});
}

}  // namespace xhal::bench
