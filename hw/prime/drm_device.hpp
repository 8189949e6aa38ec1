// SPDX-License-Identifier: GPL-2.0-or-later
//
// DrmDevice: one open DRM device, what it can do, and how many objects we hold on it.
//
// UniqueGemHandle and UniqueFramebuffer are sole owners of a GEM handle and a KMS framebuffer, as UniqueFd is
// of a descriptor. They borrow the device and must not outlive it. GEM handles are not counted by the kernel:
// two imports of one dma-buf give one handle, and closing it once ends both. So a handle has one owner, is
// closed once, and PrimeImporter never holds two for the same buffer.
//
// Thread: one at a time.

#ifndef VRAMLINK_HW_PRIME_DRM_DEVICE_HPP
#define VRAMLINK_HW_PRIME_DRM_DEVICE_HPP

#include "hw/prime/drm_api.hpp"
#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace vramlink {

class DrmDevice {
  public:
    /// Opens @p path and asks for its capabilities. Refuses a device without DRM_PRIME_CAP_IMPORT
    /// (EOPNOTSUPP) and one that another process drives (EACCES); the sentence says which.
    static Result<std::unique_ptr<DrmDevice>> open(DrmApi &api, const std::string &path);

    /// The same, of a device that somebody else has opened; @p path is for messages.
    static Result<std::unique_ptr<DrmDevice>> adopt(DrmApi &api, UniqueFd fd, const std::string &path);

    [[nodiscard]] DrmApi &api() const { return api_; }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string &path() const { return path_; }
    /// DRM_CAP_ADDFB2_MODIFIERS: AddFB2 takes explicit modifiers.
    [[nodiscard]] bool takes_modifiers() const { return takes_modifiers_; }
    /// This file makes atomic commits.
    [[nodiscard]] bool is_atomic() const { return is_atomic_; }
    /// A number for a page flip's event that no other flip of this device has.
    [[nodiscard]] uint64_t next_cookie() { return ++last_cookie_; }
    [[nodiscard]] int gem_handles_open() const { return gem_handles_; }
    [[nodiscard]] int framebuffers_open() const { return framebuffers_; }

  private:
    friend class UniqueGemHandle;
    friend class UniqueFramebuffer;
    DrmDevice(DrmApi &api, UniqueFd fd, std::string path)
        : api_(api), fd_(std::move(fd)), path_(std::move(path))
    {
    }

    DrmApi &api_;
    UniqueFd fd_;
    std::string path_;
    bool takes_modifiers_ = false;
    bool is_atomic_ = false;
    uint64_t last_cookie_ = 0;
    int gem_handles_ = 0;
    int framebuffers_ = 0;
};

/// Sole owner of one GEM handle.
class UniqueGemHandle {
  public:
    UniqueGemHandle() = default;
    /// Takes @p handle, which is open on @p device.
    UniqueGemHandle(DrmDevice &device, uint32_t handle);
    UniqueGemHandle(UniqueGemHandle &&other) noexcept;
    UniqueGemHandle &operator=(UniqueGemHandle &&other) noexcept;
    UniqueGemHandle(const UniqueGemHandle &) = delete;
    UniqueGemHandle &operator=(const UniqueGemHandle &) = delete;
    ~UniqueGemHandle() { reset(); }

    [[nodiscard]] uint32_t get() const { return handle_; }
    void reset() noexcept;

  private:
    DrmDevice *device_ = nullptr;
    uint32_t handle_ = 0;
};

/// Sole owner of one KMS framebuffer. The kernel's framebuffer holds its own reference to the memory, so the
/// GEM handle it was made from can be closed at once.
class UniqueFramebuffer {
  public:
    UniqueFramebuffer() = default;
    /// AddFB2. The error carries the kernel's errno and the geometry.
    static Result<UniqueFramebuffer> add(DrmDevice &device, const FramebufferRequest &request);
    UniqueFramebuffer(UniqueFramebuffer &&other) noexcept;
    UniqueFramebuffer &operator=(UniqueFramebuffer &&other) noexcept;
    UniqueFramebuffer(const UniqueFramebuffer &) = delete;
    UniqueFramebuffer &operator=(const UniqueFramebuffer &) = delete;
    ~UniqueFramebuffer() { reset(); }

    [[nodiscard]] uint32_t id() const { return id_; }
    void reset() noexcept;

  private:
    DrmDevice *device_ = nullptr;
    uint32_t id_ = 0;
};

/// "EINVAL" for -EINVAL or EINVAL; "errno 4242" for one without a name.
std::string errno_name(int code);

} // namespace vramlink

#endif
