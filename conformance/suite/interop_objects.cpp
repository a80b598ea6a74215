// SPDX-License-Identifier: Apache-2.0
#include "suite/interop_objects.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#if __has_include(<linux/udmabuf.h>)
#include <linux/udmabuf.h>
#define XHAL_HAS_UDMABUF 1
#endif

namespace xhal::conformance {

namespace {

// Pages of the host's: a memfd, or a dma-buf of them, which is null where the system makes no such thing.
std::unique_ptr<ExternalObject> pages(Context& t, bool as_dma_buf) {
  auto object = std::make_unique<ExternalObject>();
  object->fd = std::make_unique<Descriptor>(memfd_create("pages", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const int file = object->fd->get();
  // Sealed, since a device need not take pages that may vanish under its work.
  if (file < 0 || ftruncate(file, kObjectBytes) != 0 || fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
    Context::inconclusive("no memfd can be had");
  void* host = mmap(nullptr, kObjectBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (host == MAP_FAILED) Context::inconclusive("a memfd cannot be mapped");
  t.at_end([host] { munmap(host, kObjectBytes); });
  object->type = XHAL_EXTERNAL_OPAQUE_FD;
  object->size = kObjectBytes;
  object->host = static_cast<uint8_t*>(host);
  if (!as_dma_buf) return object;
#ifdef XHAL_HAS_UDMABUF
  const Descriptor maker(open("/dev/udmabuf", O_RDWR | O_CLOEXEC));
  udmabuf_create create{};
  create.memfd = static_cast<uint32_t>(file);
  create.flags = UDMABUF_FLAGS_CLOEXEC;
  create.size = kObjectBytes;
  const int buffer = maker.is_open() ? ioctl(maker.get(), UDMABUF_CREATE, &create) : -1;
  if (buffer < 0) return nullptr;
  object->fd = std::make_unique<Descriptor>(buffer);
  object->type = XHAL_EXTERNAL_DMA_BUF;
  return object;
#else
  return nullptr;
#endif
}

}  // namespace

bool Descriptor::is_open() const { return fd_ >= 0 && fcntl(fd_, F_GETFD) >= 0; }
bool Descriptor::reset() { return fd_ < 0 || close(std::exchange(fd_, -1)) == 0; }

void ExternalObject::put(Context& t, const std::vector<uint8_t>& data) const {
  if (host != nullptr) {
    std::copy(data.begin(), data.end(), host);
  } else {
    t.write(*memory, data);
  }
}

std::vector<uint8_t> ExternalObject::get(Context& t) const {
  if (host != nullptr) return {host, host + kObjectBytes};
  return t.read<uint8_t>(*memory, kObjectBytes);
}

xhal_external_memory_desc_t ExternalObject::desc() const {
  xhal_external_memory_desc_t out{};
  out.struct_size = sizeof(out);
  out.type = type;
  out.fd = fd->get();
  out.size = size;
  out.offset = offset;
  return out;
}

uint32_t type_of(const std::string& word) {
  return word == "dma_buf" ? uint32_t{XHAL_EXTERNAL_DMA_BUF} : uint32_t{XHAL_EXTERNAL_OPAQUE_FD};
}

std::unique_ptr<ExternalObject> exported_object(Context& t, uint32_t type) {
  auto object = std::make_unique<ExternalObject>();
  object->type = type;
  object->memory = std::make_unique<Buffer>(device_memory(t, kObjectBytes));
  int32_t fd = -1;
  uint64_t offset = 0;
  const xhal_result_t result =
      TRACED(xhal_memory_export_external(t.device(), *object->memory, type, &fd, &offset));
  if (refused_type(result)) return nullptr;
  REQUIRE_OK(result);
  object->fd = std::make_unique<Descriptor>(fd);
  object->offset = offset;
  object->size = offset + kObjectBytes;
  return object;
}

std::unique_ptr<ExternalObject> importable_object(Context& t) {
  const std::string& word = t.text("object");
  const bool is_export = word.starts_with("export_");
  std::unique_ptr<ExternalObject> object =
      is_export ? exported_object(t, type_of(word.substr(word.find('_') + 1))) : pages(t, word == "udmabuf");
  if (object == nullptr)
    Context::not_observable(is_export ? "the device does not export memory so"
                                      : "the system makes no such object");
  const auto desc = object->desc();
  void* pointer = nullptr;
  const xhal_result_t result = TRACED(xhal_memory_import_external(t.device(), &desc, &pointer));
  if (refused_type(result)) Context::not_observable("the device does not import objects of this origin");
  REQUIRE_OK(result);
  REQUIRE_OK(xhal_memory_release_external(t.device(), pointer));
  return object;
}

Axis object_axis() { return {"object", {"memfd", "udmabuf", "export_dma_buf", "export_opaque_fd"}}; }

External::External(Context& t, const xhal_external_memory_desc_t& desc) : device_(t.device()) {
  t.touch(t.session(), 0);
  REQUIRE_MEMORY(xhal_memory_import_external(device_, &desc, &pointer_), pointer_);
}

void External::reset() {
  if (pointer_ != nullptr) TRACED(xhal_memory_release_external(device_, std::exchange(pointer_, nullptr)));
}

}  // namespace xhal::conformance
