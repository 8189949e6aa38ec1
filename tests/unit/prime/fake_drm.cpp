// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/prime/fake_drm.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xf86drm.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace vramlink::test {
namespace {

constexpr uint32_t first_crtc = 41;
constexpr uint32_t first_plane = 1000;
/// What any object has here; a property's number is its place, from 1 on.
constexpr std::array property_names{"FB_ID",   "CRTC_ID", "SRC_X",          "SRC_Y",  "SRC_W",
                                    "SRC_H",   "CRTC_X",  "CRTC_Y",         "CRTC_W", "CRTC_H",
                                    "MODE_ID", "ACTIVE",  "FB_DAMAGE_CLIPS"};
constexpr uint64_t first_dumb = 1'000'000'000; ///< objects from here on are dumb buffers

} // namespace

FakeDrm::FakeDrm()
{
    connectors.push_back(connector(DRM_MODE_CONNECTOR_HDMIA, {{1024, 768}, {1920, 1080}, {640, 480}}));
}

ConnectorInfo FakeDrm::connector(uint32_t type, const std::vector<std::pair<int, int>> &sizes)
{
    ConnectorInfo info;
    info.id = 31;
    info.type = type;
    info.type_index = 1;
    info.connected = true;
    info.possible_crtcs = {first_crtc};
    for (const auto &[width, height] : sizes) {
        drmModeModeInfo mode{};
        mode.hdisplay = static_cast<uint16_t>(width);
        mode.vdisplay = static_cast<uint16_t>(height);
        mode.vrefresh = 60;
        mode.clock = static_cast<uint32_t>(width * height / 16);
        mode.type = info.modes.empty() ? DRM_MODE_TYPE_PREFERRED : 0;
        info.modes.push_back(mode);
    }
    return info;
}

ConnectorInfo FakeDrm::other_connector(uint32_t number)
{
    ConnectorInfo info = connector(DRM_MODE_CONNECTOR_DisplayPort, {{1024, 768}, {800, 600}});
    info.id += number;
    info.type_index = number;
    info.possible_crtcs = {first_crtc + number};
    return info;
}

CrtcState &FakeDrm::state_of(uint32_t id)
{
    return id == first_crtc ? crtc : more_crtcs[id];
}

int FakeDrm::open(const char *)
{
    return ::open("/dev/null", O_RDWR | O_CLOEXEC); // NOLINT: POSIX
}

int FakeDrm::get_cap(int, uint64_t capability, uint64_t *value)
{
    *value = capability == DRM_CAP_PRIME ? prime_cap : modifiers_cap;
    return 0;
}

int FakeDrm::prime_fd_to_handle(int, int dmabuf, uint32_t *handle)
{
    ++imports;
    if (import_error)
        return -import_error;
    struct stat st {};
    if (fstat(dmabuf, &st) < 0)
        return -EBADF;
    for (const auto &[open, object] : handles) {
        if (object == st.st_ino) {
            *handle = open; // as the kernel: the handle that is open already, not counted again
            return 0;
        }
    }
    *handle = next_handle_++;
    handles[*handle] = st.st_ino;
    return 0;
}

int FakeDrm::gem_close(int, uint32_t handle)
{
    if (handles.erase(handle) == 1)
        return 0;
    ++bad_closes;
    return -EINVAL;
}

int FakeDrm::add_framebuffer(int, const FramebufferRequest &request, uint32_t *id)
{
    requests.push_back(request);
    if (addfb_error)
        return -addfb_error;
    const auto object = handles.find(request.handles[0]);
    if (object == handles.end())
        return -ENOENT;
    for (int plane = 1; plane < 4; plane++) {
        if (request.handles[plane] || request.pitches[plane] || request.offsets[plane] ||
            request.modifiers[plane])
            return -EINVAL;
    }
    if (addfb_error_of_imports && object->second < first_dumb)
        return -addfb_error_of_imports;
    *id = next_framebuffer_++;
    framebuffers[*id] = object->second;
    return 0;
}

int FakeDrm::remove_framebuffer(int, uint32_t id)
{
    calls.push_back("rmfb " + std::to_string(id));
    if (framebuffers.erase(id) != 1) {
        ++bad_closes;
        return -ENOENT;
    }
    if (crtc.framebuffer == id)
        crtc = {};
    for (auto &[number, state] : more_crtcs) {
        if (state.framebuffer == id)
            state = {};
    }
    return 0;
}

int FakeDrm::create_dumb(int, uint32_t width, uint32_t height, DumbAllocation *out)
{
    if (dumb_error)
        return -dumb_error;
    const uint32_t pitch = (width * 4 + 255) / 256 * 256;
    *out = {next_handle_++, pitch, uint64_t{pitch} * height};
    handles[out->handle] = next_dumb_++;
    return 0;
}

int FakeDrm::map_dumb(int, const DumbAllocation &dumb, void **address)
{
    if (map_error)
        return -map_error;
    *address = std::malloc(dumb.size);
    mappings.insert(*address);
    dumb_[dumb.handle] = *address;
    return 0;
}

void FakeDrm::unmap_dumb(void *address, size_t)
{
    bad_closes += mappings.erase(address) != 1;
    std::free(address);
}

int FakeDrm::get_connectors(int, std::vector<ConnectorInfo> *out)
{
    *out = connectors;
    return 0;
}

int FakeDrm::get_crtc(int, uint32_t id, CrtcState *out)
{
    *out = state_of(id);
    return 0;
}

bool FakeDrm::refuses(uint32_t framebuffer) const
{
    const auto found = framebuffers.find(framebuffer);
    return commit_error_of_imports && found != framebuffers.end() && found->second < first_dumb;
}

int FakeDrm::set_crtc(int, uint32_t id, uint32_t, const CrtcState &state)
{
    if (refuses(state.framebuffer))
        return -commit_error_of_imports;
    if (set_crtc_error)
        return -set_crtc_error;
    calls.push_back("set " + std::to_string(state.framebuffer));
    state_of(id) = state;
    return 0;
}

int FakeDrm::page_flip(int, uint32_t id, uint32_t framebuffer, uint64_t cookie)
{
    if (page_flip_error)
        return -page_flip_error;
    if (refuses(framebuffer))
        return -commit_error_of_imports;
    if (!flipping_.insert(id).second)
        return -EBUSY;
    calls.push_back("flip " + std::to_string(framebuffer));
    state_of(id).framebuffer = framebuffer;
    flips.push_back(cookie);
    return 0;
}

int FakeDrm::use_atomic(int)
{
    return atomic ? 0 : -EOPNOTSUPP;
}

/// A plane for each CRTC, as the kernel's helpers make them; plane 1041 is that of CRTC 41.
int FakeDrm::get_primary_planes(int, std::vector<PlaneInfo> *out)
{
    out->clear();
    for (const ConnectorInfo &info : connectors) {
        for (const uint32_t id : info.possible_crtcs)
            out->push_back({first_plane + id, {id}});
    }
    return 0;
}

int FakeDrm::get_properties(int, uint32_t, std::map<std::string, uint32_t> *out)
{
    out->clear();
    uint32_t number = 1;
    for (const char *name : property_names) {
        if (takes_damage || std::string(name) != "FB_DAMAGE_CLIPS")
            (*out)[name] = number;
        number++;
    }
    return 0;
}

int FakeDrm::create_blob(int, const void *data, size_t size, uint32_t *id)
{
    *id = next_handle_++;
    const auto *bytes = static_cast<const char *>(data);
    blobs_[*id].assign(bytes, bytes + size);
    return 0;
}

int FakeDrm::destroy_blob(int, uint32_t id)
{
    bad_closes += blobs_.erase(id) != 1;
    return 0;
}

int FakeDrm::commit(int, const AtomicRequest &request)
{
    if (commit_error)
        return -commit_error;
    for (const PropertyValue &value : request.values) {
        if (value.object > first_plane)
            return commit_to(value.object - first_plane, request);
    }
    return -EINVAL;
}

int FakeDrm::commit_to(uint32_t id, const AtomicRequest &request)
{
    CrtcState next = state_of(id);
    for (const PropertyValue &value : request.values) {
        const std::string name = property_names.at(value.property - 1);
        if (name == "FB_ID")
            next.framebuffer = static_cast<uint32_t>(value.value);
        if (name == "MODE_ID") {
            next.mode_valid = true;
            std::memcpy(&next.mode, blobs_.at(static_cast<uint32_t>(value.value)).data(), sizeof(next.mode));
        }
        if (name == "FB_DAMAGE_CLIPS") {
            drm_mode_rect clip{};
            std::memcpy(&clip, blobs_.at(static_cast<uint32_t>(value.value)).data(), sizeof(clip));
            damage.push_back(std::to_string(clip.x1) + "," + std::to_string(clip.y1) + "," +
                             std::to_string(clip.x2) + "," + std::to_string(clip.y2));
        }
    }
    if (refuses(next.framebuffer))
        return -commit_error_of_imports;
    if (request.cookie && !flipping_.insert(id).second)
        return -EBUSY;
    calls.push_back((request.may_set_mode ? "commit mode " : "commit ") + std::to_string(next.framebuffer));
    state_of(id) = next;
    if (request.cookie)
        flips.push_back(request.cookie);
    return 0;
}

int FakeDrm::set_cursor(int, uint32_t, const CursorRequest &request)
{
    calls.push_back("cursor " + std::to_string(request.handle));
    if (cursor_error)
        return -cursor_error;
    if (request.handle != 0 && !handles.contains(request.handle))
        return -ENOENT;
    cursor = request;
    cursor_image.clear();
    if (request.handle != 0) {
        const auto *pixels = static_cast<const uint32_t *>(dumb_.at(request.handle));
        cursor_image.assign(pixels, pixels + size_t{request.width} * request.height);
    }
    return 0;
}

int FakeDrm::move_cursor(int, uint32_t, int x, int y)
{
    calls.push_back("cursor at " + std::to_string(x) + "," + std::to_string(y));
    cursor_x = x;
    cursor_y = y;
    return cursor_error ? -cursor_error : 0;
}

int FakeDrm::read_flip_events(int, std::vector<uint64_t> *cookies)
{
    cookies->insert(cookies->end(), flips.begin(), flips.end());
    flips.clear();
    flipping_.clear();
    return 0;
}

int fake_dmabuf(uint64_t size)
{
    const int fd = memfd_create("dma-buf", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) < 0)
        std::abort();
    return fd;
}

} // namespace vramlink::test
