// SPDX-License-Identifier: GPL-2.0-or-later
//
// The test importer (kernel/testing), seen from outside.

#ifndef VRAMLINK_TESTS_DEVICE_IMPORTERS_HPP
#define VRAMLINK_TESTS_DEVICE_IMPORTERS_HPP

#include "vramlink/unique_fd.hpp"

#include <sys/types.h>

#include <vector>

namespace vramlink::test {

inline constexpr const char *importer_device = "/dev/vram-importer";

/// Attachments that are mapped now, in the whole system.
[[nodiscard]] int mapped_importers();

/// A thread of the process stands in the kernel's revocation of a dma-buf.
[[nodiscard]] bool stands_in_revocation(pid_t pid);

/// The importers that a process has open now, lent: with them the test can let go in its place. A process
/// that stands in the kernel until its own import ends cannot do that.
class LentImporters {
  public:
    explicit LentImporters(pid_t pid);
    [[nodiscard]] std::size_t count() const { return importers_.size(); }
    void let_go() const;

  private:
    std::vector<UniqueFd> importers_;
};

} // namespace vramlink::test

#endif
