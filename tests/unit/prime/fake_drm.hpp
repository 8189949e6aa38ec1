// SPDX-License-Identifier: GPL-2.0-or-later
//
// FakeDrm: a DRM driver made of maps. It keeps the kernel's rules that matter here (handles are not counted
// per import, framebuffers hold the object, removing a shown framebuffer turns the CRTC off) and answers
// errors where a test asks for them. It counts every object, so that tests see leaks from the outside.

#ifndef VRAMLINK_TESTS_UNIT_PRIME_FAKE_DRM_HPP
#define VRAMLINK_TESTS_UNIT_PRIME_FAKE_DRM_HPP

#include "hw/prime/drm_api.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace vramlink::test {

class FakeDrm final : public DrmApi {
  public:
    FakeDrm();

    // What the driver answers. 0: success.
    uint64_t prime_cap = 3;
    uint64_t modifiers_cap = 0;
    bool master = true;
    int import_error = 0;
    int addfb_error = 0;
    int dumb_error = 0;
    int map_error = 0;
    int set_crtc_error = 0;
    int page_flip_error = 0;
    int addfb_error_of_imports = 0;
    bool atomic = false;
    bool takes_damage = true; ///< of an atomic one
    int commit_error = 0;
    int cursor_error = 0;
    int commit_error_of_imports = 0; ///< flips and mode sets of framebuffers that were imported
    std::vector<ConnectorInfo> connectors;
    CrtcState crtc;                           ///< now
    std::map<uint32_t, CrtcState> more_crtcs; ///< others than the first connector's, by id

    // What happened.
    std::map<uint32_t, uint64_t> handles;      ///< handle -> object
    std::map<uint32_t, uint64_t> framebuffers; ///< id -> object
    std::vector<FramebufferRequest> requests;
    std::vector<uint64_t> flips; ///< cookies whose event is due
    std::vector<std::string> calls;
    int imports = 0;
    int bad_closes = 0; ///< gem_close or RmFB of what does not exist
    std::set<void *> mappings;
    std::vector<std::string> damage; ///< "x,y,x2,y2" of each commit that had some
    [[nodiscard]] size_t blobs() const { return blobs_.size(); }
    CursorRequest cursor;               ///< of whichever CRTC was asked last
    std::vector<uint32_t> cursor_image; ///< what it showed when it was set
    int cursor_x = 0, cursor_y = 0;

    int open(const char *path) override;
    int get_cap(int fd, uint64_t capability, uint64_t *value) override;
    int is_master(int fd) override { return master; }
    int prime_fd_to_handle(int fd, int dmabuf, uint32_t *handle) override;
    int gem_close(int fd, uint32_t handle) override;
    int add_framebuffer(int fd, const FramebufferRequest &request, uint32_t *id) override;
    int remove_framebuffer(int fd, uint32_t id) override;
    int create_dumb(int fd, uint32_t width, uint32_t height, DumbAllocation *out) override;
    int map_dumb(int fd, const DumbAllocation &dumb, void **address) override;
    void unmap_dumb(void *address, size_t size) override;
    int get_connectors(int fd, std::vector<ConnectorInfo> *out) override;
    int get_crtc(int fd, uint32_t crtc, CrtcState *out) override;
    int set_crtc(int fd, uint32_t crtc, uint32_t connector, const CrtcState &state) override;
    int page_flip(int fd, uint32_t crtc, uint32_t framebuffer, uint64_t cookie) override;
    int use_atomic(int fd) override;
    int get_primary_planes(int fd, std::vector<PlaneInfo> *out) override;
    int get_properties(int fd, uint32_t object, std::map<std::string, uint32_t> *out) override;
    int create_blob(int fd, const void *data, size_t size, uint32_t *id) override;
    int destroy_blob(int fd, uint32_t id) override;
    int commit(int fd, const AtomicRequest &request) override;
    int set_cursor(int fd, uint32_t crtc, const CursorRequest &cursor) override;
    int move_cursor(int fd, uint32_t crtc, int x, int y) override;
    int read_flip_events(int fd, std::vector<uint64_t> *cookies) override;

    /// A connected connector with modes of these sizes, the first one preferred.
    static ConnectorInfo connector(uint32_t type, const std::vector<std::pair<int, int>> &sizes);
    /// Another screen, with a CRTC of its own; @p number from 2 on.
    static ConnectorInfo other_connector(uint32_t number);

  private:
    CrtcState &state_of(uint32_t id);
    int commit_to(uint32_t crtc, const AtomicRequest &request);
    [[nodiscard]] bool refuses(uint32_t framebuffer) const;
    std::map<uint32_t, std::vector<char>> blobs_;
    std::map<uint32_t, void *> dumb_; ///< where each handle was mapped
    std::set<uint32_t> flipping_;     ///< CRTCs
    uint32_t next_handle_ = 1;
    uint32_t next_framebuffer_ = 100;
    uint64_t next_dumb_ = 1'000'000'000; // first_dumb
};

/// A memfd of @p size bytes in the place of a dma-buf: it has an inode of its own and answers lseek.
int fake_dmabuf(uint64_t size);

} // namespace vramlink::test

#endif
