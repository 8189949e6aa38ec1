// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/kms_pipe.hpp"

#include "hw/prime/atomic_pipe.hpp"
#include "hw/prime/legacy_pipe.hpp"

#include <utility>

namespace vramlink {

std::unique_ptr<KmsPipe> KmsPipe::make(DrmDevice &device, uint32_t crtc)
{
    if (auto atomic = AtomicPipe::open(device, crtc))
        return std::move(*atomic);
    return std::make_unique<LegacyPipe>(device, crtc);
}

} // namespace vramlink
