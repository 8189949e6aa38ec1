// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/advice.hpp"

#include <array>
#include <utility>

namespace vramlink {
namespace {

using Words = std::pair<std::string_view, std::string_view>;

/// The first whose words are in the note counts: what is said last about a buffer stands first here.
constexpr std::array<Words, 10> known{{
    {"cannot be mapped either", "join with --qmp, so that the VM's device can be asked for a mapped picture"},
    {"no zwp_linux_dmabuf_v1", "let the compositor draw with a GPU (OpenGL or Vulkan), not with the CPU"},
    {"the compositor draws with the CPU",
     "let the compositor draw with a GPU (a virtio-gpu needs virgl or venus for that)"},
    {"the compositor takes no",
     "have the guest draw XR24 without a modifier, or list in the device's property "
     "layouts= what both sides know"},
    {"the compositor does not import",
     "the compositor's GPU must import from a peer (amdgpu, xe, virtio-gpu do): see the README's table, and "
     "the route between both GPUs; --direct-display retry offers the buffer for scan-out"},
    {"weston_direct_display_v1", "leave --direct-display out with this compositor"},
    {"the compositor does not answer", "the compositor was too slow; the next buffer is offered again"},
    {" does not import this dma-buf",
     "this display driver imports from no peer: show on a GPU of amdgpu, xe or virtio-gpu"},
    {"AddFB2",
     "this display driver scans out no imported buffer: run a compositor on it, which can sample it"},
    {"page flip",
     "this display driver refuses the buffer at the flip: run a compositor on it, which can sample it"},
}};

} // namespace

std::string advice_for(std::string_view note)
{
    for (const auto &[words, advice] : known) {
        if (note.find(words) != std::string_view::npos)
            return std::string(advice);
    }
    return {};
}

} // namespace vramlink
