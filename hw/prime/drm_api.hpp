// SPDX-License-Identifier: GPL-2.0-or-later
//
// DrmApi: the few calls of libdrm that this project makes, behind a virtual interface.
//
// The seam exists so that tests can answer as a particular driver would (amdgpu refusing AddFB2, i915
// refusing the import, ...) without that hardware. Product code uses libdrm_api() only.
//
// Conventions: every function returns 0 (open(): the new descriptor) or a negative errno; nothing is retried
// except EINTR. Output arguments are written on success only. File descriptors are borrowed. Thread: one
// caller at a time.

#ifndef VRAMLINK_HW_PRIME_DRM_API_HPP
#define VRAMLINK_HW_PRIME_DRM_API_HPP

#include <xf86drmMode.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vramlink {

/// Arguments of drmModeAddFB2WithModifiers. Unused planes stay zero: the kernel refuses anything else.
struct FramebufferRequest {
    uint32_t width = 0;  ///< pixels
    uint32_t height = 0; ///< pixels
    uint32_t fourcc = 0; ///< DRM_FORMAT_*
    std::array<uint32_t, 4> handles{};
    std::array<uint32_t, 4> pitches{}; ///< bytes from row to row
    std::array<uint32_t, 4> offsets{}; ///< bytes
    std::array<uint64_t, 4> modifiers{};
    bool with_modifiers = false; ///< pass DRM_MODE_FB_MODIFIERS
};

/// What DRM_IOCTL_MODE_CREATE_DUMB answers.
struct DumbAllocation {
    uint32_t handle = 0;
    uint32_t pitch = 0; ///< bytes
    uint64_t size = 0;  ///< bytes
};

/// A connector with what is needed to drive it.
struct ConnectorInfo {
    uint32_t id = 0;
    uint32_t type = 0; ///< DRM_MODE_CONNECTOR_*
    uint32_t type_index = 0;
    bool connected = false;
    uint32_t current_crtc = 0; ///< 0: none
    std::vector<uint32_t> possible_crtcs;
    uint32_t width_mm = 0, height_mm = 0; ///< 0: not known
    std::vector<drmModeModeInfo> modes;   ///< as the driver orders them, preferred first by custom
};

/// What a CRTC shows.
struct CrtcState {
    uint32_t framebuffer = 0; ///< 0: nothing
    uint32_t x = 0, y = 0;
    bool mode_valid = false;
    drmModeModeInfo mode{};
};

/// Arguments of drmModeSetCursor2.
struct CursorRequest {
    uint32_t handle = 0; ///< of ARGB8888 pixels with multiplied alpha; 0: no cursor
    uint32_t width = 0, height = 0;
    int hot_x = 0, hot_y = 0; ///< what virtual display devices tell their host
};

/// A plane that is a CRTC's own picture.
struct PlaneInfo {
    uint32_t id = 0;
    std::vector<uint32_t> possible_crtcs;
};

/// One property of a mode object.
struct PropertyValue {
    uint32_t object = 0, property = 0;
    uint64_t value = 0;
};

/// Arguments of drmModeAtomicCommit.
struct AtomicRequest {
    std::vector<PropertyValue> values;
    bool may_set_mode = false;
    uint64_t cookie = 0; ///< of the event that tells its end; 0: no event, and the call returns at the end
};

class DrmApi {
  public:
    DrmApi() = default;
    DrmApi(const DrmApi &) = delete;
    DrmApi &operator=(const DrmApi &) = delete;
    virtual ~DrmApi() = default;

    /// O_RDWR | O_CLOEXEC. The caller owns the answer.
    virtual int open(const char *path) = 0;
    virtual int get_cap(int fd, uint64_t capability, uint64_t *value) = 0;
    /// 1 when this file may set modes, 0 when another process is the DRM master.
    virtual int is_master(int fd) = 0;

    virtual int prime_fd_to_handle(int fd, int dmabuf, uint32_t *handle) = 0;
    virtual int gem_close(int fd, uint32_t handle) = 0;
    virtual int add_framebuffer(int fd, const FramebufferRequest &request, uint32_t *id) = 0;
    /// Turns off every CRTC that shows @p id: show something else first.
    virtual int remove_framebuffer(int fd, uint32_t id) = 0;

    /// 32 bits a pixel. The handle is closed with gem_close().
    virtual int create_dumb(int fd, uint32_t width, uint32_t height, DumbAllocation *out) = 0;
    /// Maps read-write and shared; unmap_dumb() undoes it. The mapping outlives the handle.
    virtual int map_dumb(int fd, const DumbAllocation &dumb, void **address) = 0;
    virtual void unmap_dumb(void *address, size_t size) = 0;

    virtual int get_connectors(int fd, std::vector<ConnectorInfo> *out) = 0;
    virtual int get_crtc(int fd, uint32_t crtc, CrtcState *out) = 0;
    /// Blocks until @p state is on the screen. framebuffer 0 turns the CRTC off.
    virtual int set_crtc(int fd, uint32_t crtc, uint32_t connector, const CrtcState &state) = 0;
    /// Asks for a flip at the next vertical blank, and for an event that carries @p cookie.
    virtual int page_flip(int fd, uint32_t crtc, uint32_t framebuffer, uint64_t cookie) = 0;
    /// From here on this file makes atomic commits (DRM_CLIENT_CAP_ATOMIC).
    virtual int use_atomic(int fd) = 0;
    virtual int get_primary_planes(int fd, std::vector<PlaneInfo> *out) = 0;
    /// The number of each property that @p object has, by its name.
    virtual int get_properties(int fd, uint32_t object, std::map<std::string, uint32_t> *out) = 0;
    /// A value that does not fit into a number; the kernel copies it. destroy_blob() ends it, once no state
    /// of the device refers to it.
    virtual int create_blob(int fd, const void *data, size_t size, uint32_t *id) = 0;
    virtual int destroy_blob(int fd, uint32_t id) = 0;
    virtual int commit(int fd, const AtomicRequest &request) = 0;

    /// Shows @p cursor beside the frame of @p crtc; its sides are those that DRM_CAP_CURSOR_WIDTH and _HEIGHT
    /// tell.
    virtual int set_cursor(int fd, uint32_t crtc, const CursorRequest &cursor) = 0;
    /// To where its upper left corner is, in pixels of the mode; may lie outside.
    virtual int move_cursor(int fd, uint32_t crtc, int x, int y) = 0;
    /// Reads what is pending without blocking; appends the cookie of each completed flip.
    virtual int read_flip_events(int fd, std::vector<uint64_t> *cookies) = 0;
};

/// The real one.
DrmApi &libdrm_api();

} // namespace vramlink

#endif
