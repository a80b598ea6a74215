// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "path.hpp"
#include "text.hpp"

namespace xhal::discovery {

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

std::string error_text(int error_number) {
  char buffer[128] = "";
#if defined(__GLIBC__)
  return ::strerror_r(error_number, buffer, sizeof buffer);
#else
  return ::strerror_r(error_number, buffer, sizeof buffer) == 0 ? buffer
                                                                : "error " + std::to_string(error_number);
#endif
}

namespace {

constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

const char* type_name(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "no regular file";
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

OpenedFile refused(std::string problem) {
  OpenedFile file;
  file.problem = std::move(problem);
  return file;
}

// For a failed system call on `path`.
OpenedFile failed(int error_number, const std::string& path) {
  OpenedFile file = refused("cannot open " + quoted(path) + ": " + error_text(error_number));
  if (error_number == ENOENT || error_number == ENOTDIR) {
    file.outcome = Outcome::kAbsent;
    file.problem = quoted(path) + " does not exist";
  } else if (error_number == EACCES) {
    file.problem += "; check the permissions of it and of the folders above it";
  } else {
    file.problem += "; check the path and the machine's limits";
  }
  return file;
}

// The path that is walked: real and absolute. An elevated process follows no link, so its path must be so already. [XHAL-LOADER-33]
OpenedFile start(const std::string& path, const Trust& trust) {
  OpenedFile file;
  if (trust.elevated) {
    if (!is_absolute(path))
      return refused("path " + quoted(path) + " is relative; an elevated process takes absolute paths only");
    const std::vector<std::string> names = split_path(path);
    if (std::find(names.begin(), names.end(), "..") != names.end()) {
      return refused("path " + quoted(path) +
                     " has '..', which an elevated process does not follow; write it without");
    }
    file.path = join_path(names);
  } else {
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
    if (!real) return failed(errno, path);
    file.path = real.get();
  }
  file.outcome = Outcome::kOpened;
  return file;
}

// Opens the folder that holds the last name of file.path. Each folder is opened below the one before, so none can be exchanged once it
// was checked. On failure `file` says why.
Descriptor walk_to_parent(OpenedFile& file, TrustWalk& walk, std::string& last_name) {
  std::vector<std::string> names = split_path(file.path);
  last_name = names.empty() ? "." : names.back();
  if (!names.empty()) names.pop_back();

  std::string step = "/";
  Descriptor folder(::open("/", kFolderFlags));
  for (std::size_t i = 0;; ++i) {
    struct stat status = {};
    if (!folder.is_open() || ::fstat(folder.get(), &status) != 0) {
      file = failed(errno, step);
      return Descriptor();
    }
    if (auto problem = walk.problem(status, step)) {
      file = refused(std::move(*problem));
      return Descriptor();
    }
    if (i == names.size()) return folder;
    step = below(step, names[i]);
    Descriptor next(::openat(folder.get(), names[i].c_str(), kFolderFlags));
    if (!next.is_open()) {
      const int error_number = errno;
      const bool is_link = ::fstatat(folder.get(), names[i].c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                           S_ISLNK(status.st_mode);
      file = is_link ? refused("folder " + quoted(step) +
                               " is a symbolic link, which an elevated process does not follow; "
                               "use the real path")
                     : failed(error_number, step);
      return Descriptor();
    }
    folder = std::move(next);
  }
}

// Opens the last name without ever opening a device or waiting for a FIFO: its type is asked first, and again of what was opened.
OpenedFile open_checked(const std::string& path, mode_t wanted_type, int flags, const Trust& trust) {
  OpenedFile file = start(path, trust);
  if (file.outcome != Outcome::kOpened) return file;
  TrustWalk walk(trust);
  std::string last_name;
  const Descriptor parent = walk_to_parent(file, walk, last_name);
  if (!parent.is_open()) return file;

  struct stat before = {};
  if (::fstatat(parent.get(), last_name.c_str(), &before, AT_SYMLINK_NOFOLLOW) != 0)
    return failed(errno, path);
  if ((before.st_mode & S_IFMT) != wanted_type) {
    if (S_ISLNK(before.st_mode)) {
      return refused(quoted(path) +
                     " is a symbolic link, which an elevated process does not follow; use the real path");
    }
    return refused(
        quoted(path) + " is " + (S_ISREG(before.st_mode) ? "a file" : type_name(before.st_mode)) + ", not " +
        (wanted_type == S_IFDIR ? "a folder; name a folder" : "a regular file; name or put one there"));
  }
  if (auto problem = walk.problem(before, file.path)) return refused(std::move(*problem));
  file.descriptor = Descriptor(::openat(parent.get(), last_name.c_str(),
                                        flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.descriptor.is_open()) return failed(errno, path);
  if (::fstat(file.descriptor.get(), &file.status) != 0) return failed(errno, path);
  if (!same_file(before, file.status) || before.st_mode != file.status.st_mode ||
      before.st_uid != file.status.st_uid) {
    return refused(quoted(path) + " was replaced while it was opened; try again");
  }
  return file;
}

}  // namespace

OpenedFile open_file(const std::string& path, uint64_t max_bytes, const Trust& trust) {
  OpenedFile file = open_checked(path, S_IFREG, 0, trust);
  if (file.outcome == Outcome::kOpened && static_cast<uint64_t>(file.status.st_size) > max_bytes) {
    return refused(quoted(path) + " has " + std::to_string(file.status.st_size) + " bytes, more than the " +
                   std::to_string(max_bytes) + " allowed; check that it is the right file");
  }
  return file;
}

OpenedFile open_folder(const std::string& path, const Trust& trust) {
  return open_checked(path, S_IFDIR, O_DIRECTORY, trust);
}

Bytes read_all(const OpenedFile& file, std::size_t max_bytes) {
  Bytes bytes;
  // One more than allowed, to see whether there is more.
  bytes.text.resize(std::min<std::size_t>(max_bytes, static_cast<std::size_t>(file.status.st_size)) + 1);
  std::size_t length = 0;
  for (;;) {
    if (length == bytes.text.size()) {
      if (length > max_bytes) {
        bytes.problem = quoted(file.path) + " has more than the " + std::to_string(max_bytes) +
                        " bytes allowed; check that it is the right file";
        return bytes;
      }
      bytes.text.resize(std::min(max_bytes + 1, 2 * length + 1));
    }
    const ssize_t count = ::pread(file.descriptor.get(), bytes.text.data() + length,
                                  bytes.text.size() - length, static_cast<off_t>(length));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      bytes.problem =
          "cannot read " + quoted(file.path) + ": " + error_text(errno) + "; check the file and its disk";
      return bytes;
    }
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
  }
  bytes.text.resize(length);
  bytes.complete = true;
  return bytes;
}

Listing list_folder(const OpenedFile& folder, const std::string& suffix, std::size_t max_names,
                    std::size_t max_entries) {
  Listing listing;
  // fdopendir takes the descriptor over, and the caller keeps its own.
  Descriptor copy(::fcntl(folder.descriptor.get(), F_DUPFD_CLOEXEC, 0));
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(copy.is_open() ? ::fdopendir(copy.get()) : nullptr,
                                                    ::closedir);
  if (!entries) {
    listing.problem = "cannot list " + quoted(folder.path) + ": " + error_text(errno) +
                      "; check the permissions of the folder";
    return listing;
  }
  copy.release();
  ::rewinddir(entries.get());  // the copy shares its place in the folder with the original
  listing.readable = true;
  std::size_t count = 0;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(entries.get());  // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (entry == nullptr) {
      if (errno != 0)
        listing.problem = "cannot list all of " + quoted(folder.path) + ": " + error_text(errno) +
                          "; check the folder and its disk";
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (++count > max_entries) {
      listing.problem = quoted(folder.path) + " has more than " + std::to_string(max_entries) +
                        " entries; the rest was not looked at; give manifests a folder of their own";
      break;
    }
    if (name.starts_with('.') || !name.ends_with(suffix)) continue;
    listing.names.emplace_back(name);
  }
  std::sort(listing.names.begin(), listing.names.end());
  if (listing.names.size() > max_names) {
    listing.problem = quoted(folder.path) + " has more than " + std::to_string(max_names) +
                      " manifests; those after " + quoted(listing.names[max_names - 1]) +
                      " were not looked at; remove some";
    listing.names.resize(max_names);
  }
  return listing;
}

bool is_still_at(const OpenedFile& file, const std::string& path) {
  struct stat now = {};
  return ::stat(path.c_str(), &now) == 0 && same_file(now, file.status);
}

}  // namespace xhal::discovery
