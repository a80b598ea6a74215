// SPDX-License-Identifier: Apache-2.0
#include "memory/write_hold.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace xhal::sim {

WriteHold::WriteHold(std::byte* begin, size_t size) {
  // Faults of the process's own code alone, which needs no privilege: no system call of ours writes to device memory.
  faults_ = Descriptor(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY)));
  if (!faults_) return;
  uffdio_api api = {};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
  const uffdio_range range = {reinterpret_cast<uint64_t>(begin), size};
  uffdio_register whole = {};
  whole.range = range;
  whole.mode = UFFDIO_REGISTER_MODE_WP;
  uffdio_writeprotect protection = {};
  protection.range = range;
  protection.mode = UFFDIO_WRITEPROTECT_MODE_WP;
  holds_ = ioctl(faults_.get(), UFFDIO_API, &api) == 0 &&
           ioctl(faults_.get(), UFFDIO_REGISTER, &whole) == 0 &&
           ioctl(faults_.get(), UFFDIO_WRITEPROTECT, &protection) == 0;
}

}  // namespace xhal::sim
