// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/atomic_pipe.hpp"

#include <drm_mode.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>
#include <vector>

namespace vramlink {
namespace {

constexpr unsigned fraction_bits = 16; ///< of SRC_W and SRC_H

/// The kernel's copy of a value, for one commit: the state that refers to it keeps it.
class PropertyBlob {
  public:
    template <class T> PropertyBlob(DrmDevice &device, const T &value) : device_(device)
    {
        error_ = device.api().create_blob(device.fd(), &value, sizeof(value), &id_);
    }
    PropertyBlob(const PropertyBlob &) = delete;
    PropertyBlob &operator=(const PropertyBlob &) = delete;
    ~PropertyBlob()
    {
        if (error_ == 0)
            (void)device_.api().destroy_blob(device_.fd(), id_);
    }
    [[nodiscard]] int error() const { return error_; }
    [[nodiscard]] uint32_t id() const { return id_; }

  private:
    DrmDevice &device_;
    uint32_t id_ = 0;
    int error_;
};

/// As the kernel wants it: edges, of which the right and the lower one are outside.
drm_mode_rect clip_of(const Rect &damage)
{
    const auto edge = [](uint64_t at) {
        return static_cast<int32_t>(std::min<uint64_t>(at, std::numeric_limits<int32_t>::max()));
    };
    return {edge(damage.x), edge(damage.y), edge(uint64_t{damage.x} + damage.width),
            edge(uint64_t{damage.y} + damage.height)};
}

} // namespace

Result<std::unique_ptr<AtomicPipe>> AtomicPipe::open(DrmDevice &device, uint32_t crtc)
{
    std::vector<PlaneInfo> planes;
    if (!device.is_atomic() || device.api().get_primary_planes(device.fd(), &planes) < 0)
        return fail(EOPNOTSUPP, "no atomic mode setting");
    const auto own = std::ranges::find(planes, std::vector{crtc}, &PlaneInfo::possible_crtcs);
    if (own == planes.end())
        return fail(EOPNOTSUPP, "no primary plane of its own");
    std::unique_ptr<AtomicPipe> pipe(new AtomicPipe(device, crtc));
    pipe->plane_ = own->id;
    pipe->of_crtc_ = pipe->properties_of(crtc);
    pipe->of_plane_ = pipe->properties_of(pipe->plane_);
    for (const char *name :
         {"FB_ID", "CRTC_ID", "SRC_X", "SRC_Y", "SRC_W", "SRC_H", "CRTC_X", "CRTC_Y", "CRTC_W", "CRTC_H"}) {
        if (!pipe->of_plane_.contains(name))
            return fail(EOPNOTSUPP, "a plane without " + std::string(name));
    }
    if (!pipe->of_crtc_.contains("MODE_ID") || !pipe->of_crtc_.contains("ACTIVE"))
        return fail(EOPNOTSUPP, "a CRTC without MODE_ID or ACTIVE");
    return pipe;
}

AtomicPipe::Properties AtomicPipe::properties_of(uint32_t object) const
{
    Properties properties;
    (void)device_.api().get_properties(device_.fd(), object, &properties);
    return properties;
}

int AtomicPipe::commit_mode(uint32_t connector, uint32_t framebuffer, const drmModeModeInfo &mode)
{
    const Properties of_connector = properties_of(connector);
    const auto crtc_id = of_connector.find("CRTC_ID");
    if (crtc_id == of_connector.end())
        return -EOPNOTSUPP;
    const PropertyBlob shape(device_, mode);
    if (shape.error() < 0)
        return shape.error();
    AtomicRequest request;
    request.may_set_mode = true;
    auto &values = request.values;
    if (connector_ && connector_ != connector) // the monitor has moved to another connector
        values.push_back({connector_, crtc_id->second, 0});
    values.push_back({connector, crtc_id->second, crtc_});
    values.push_back({crtc_, of_crtc_.at("MODE_ID"), shape.id()});
    values.push_back({crtc_, of_crtc_.at("ACTIVE"), 1});
    const auto plane = [&](const char *name, uint64_t value) {
        values.push_back({plane_, of_plane_.at(name), value});
    };
    plane("FB_ID", framebuffer);
    plane("CRTC_ID", crtc_);
    plane("SRC_X", 0);
    plane("SRC_Y", 0);
    plane("SRC_W", uint64_t{mode.hdisplay} << fraction_bits);
    plane("SRC_H", uint64_t{mode.vdisplay} << fraction_bits);
    plane("CRTC_X", 0);
    plane("CRTC_Y", 0);
    plane("CRTC_W", mode.hdisplay);
    plane("CRTC_H", mode.vdisplay);
    return device_.api().commit(device_.fd(), request);
}

int AtomicPipe::set_mode(uint32_t connector, uint32_t framebuffer, const drmModeModeInfo &mode)
{
    int r = commit_mode(connector, framebuffer, mode);
    if (r < 0) // a connector that another CRTC has, for one: SetCrtc takes it away from there
        r = legacy_.set_mode(connector, framebuffer, mode);
    if (r == 0)
        connector_ = connector;
    return r;
}

int AtomicPipe::flip(uint32_t framebuffer, const Rect &damage, uint64_t cookie)
{
    AtomicRequest request;
    request.cookie = cookie;
    request.values.push_back({plane_, of_plane_.at("FB_ID"), framebuffer});
    const auto clips = of_plane_.find("FB_DAMAGE_CLIPS");
    if (damage.empty() || clips == of_plane_.end())
        return device_.api().commit(device_.fd(), request);
    const PropertyBlob clip(device_, clip_of(damage));
    if (clip.error() == 0)
        request.values.push_back({plane_, clips->second, clip.id()});
    return device_.api().commit(device_.fd(), request);
}

} // namespace vramlink
