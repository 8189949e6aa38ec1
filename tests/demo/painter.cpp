// SPDX-License-Identifier: GPL-2.0-or-later
#include "painter.hpp"

#include <cstring>
#include <string>

#include "stopwatch.hpp"

namespace vramlink::demo {

namespace {

/// "ok" or the errno's name, for reports on attempts that ought to fail.
template <class T> std::string outcome(const Result<T> &result)
{
    if (result)
        return "ok";
    const char *name = ::strerrorname_np(result.error().code);
    return name != nullptr ? name : std::to_string(result.error().code);
}

} // namespace

Result<void> Painter::run()
{
    if (auto done = channel_.checkpoint("baseline", 0); !done)
        return done;
    if (auto done = show(); !done)
        return done;
    if (auto done = revoke(); !done)
        return done;
    if (auto done = recover(); !done)
        return done;
    return finish();
}

Result<void> Painter::make_buffers(std::uint64_t seed)
{
    PageDealer dealer(gpu_.vram().size(), seed);
    const std::uint64_t pages = pages_for(std::uint64_t{4} * job_.width * job_.height);
    for (unsigned index = 0; index < kBuffers; ++index) {
        auto offsets = dealer.deal(pages);
        if (!offsets)
            return std::unexpected(offsets.error());
        auto buffer = ScatteredBuffer::make(gpu_, card_, std::move(*offsets));
        if (!buffer)
            return std::unexpected(buffer.error());
        auto told = channel_.report("buffer", {{"index", index},
                                               {"pages", buffer->pages()},
                                               {"export_us", buffer->export_us()},
                                               {"import_us", buffer->import_us()}});
        if (!told)
            return told;
        buffers_.push_back(std::move(*buffer));
    }
    return {};
}

Result<void> Painter::show_frame(std::uint32_t frame)
{
    const ScatteredBuffer &buffer = buffers_[frame % kBuffers];
    const Stopwatch painting;
    buffer.paint(TestCard({job_.seed, frame, job_.width, job_.height}), gpu_.vram());
    paint_us_ += painting.us();

    const Stopwatch flipping;
    auto shown = on_screen_ ? card_.flip(buffer.framebuffer()) : card_.set_crtc(buffer.framebuffer());
    if (!shown)
        return shown;
    flip_us_ += flipping.us();
    on_screen_ = true;
    return {};
}

Result<void> Painter::show()
{
    if (auto done = make_buffers(job_.seed); !done)
        return done;
    for (std::uint32_t frame = 1; frame <= job_.frames; ++frame) {
        if (auto done = show_frame(frame); !done)
            return done;
        if (!is_checkpoint(frame, job_.frames, job_.checkpoints))
            continue;
        if (auto done = channel_.checkpoint("frame", frame); !done)
            return done;
    }
    return channel_.report("shown",
                           {{"frames", job_.frames}, {"paint_us", paint_us_}, {"flip_us", flip_us_}});
}

Result<void> Painter::revoke()
{
    const Stopwatch resetting;
    if (auto done = gpu_.reset(); !done)
        return done;
    const auto reset_us = resetting.us();
    const auto enabled = gpu_.memory_enabled();
    if (!enabled)
        return std::unexpected(enabled.error());
    auto told = channel_.report("reset", {{"reset_us", reset_us}, {"memory_enabled", *enabled}});
    if (!told)
        return told;
    if (auto done = channel_.checkpoint("revoked", 0); !done)
        return done;
    return try_without_memory();
}

Result<void> Painter::try_without_memory()
{
    if (auto done = gpu_.enable_memory(false); !done)
        return done;
    const std::string flip = outcome(card_.flip(buffers_[(job_.frames + 1) % kBuffers].framebuffer()));
    // A dma-buf that this card knows already would be answered from its cache: try a new one.
    PageDealer dealer(gpu_.vram().size(), job_.seed);
    auto offsets = dealer.deal(pages_for(std::uint64_t{4} * job_.width * job_.height));
    if (!offsets)
        return std::unexpected(offsets.error());
    const std::string import = outcome(ScatteredBuffer::make(gpu_, card_, std::move(*offsets)));
    auto told = channel_.report("without_memory", {{"flip", flip}, {"import", import}});
    if (!told)
        return told;
    buffers_.clear();
    on_screen_ = false;
    return channel_.checkpoint("released", 0);
}

Result<void> Painter::recover()
{
    if (auto done = gpu_.enable_memory(true); !done)
        return done;
    if (auto done = make_buffers(job_.seed + 1); !done)
        return done;
    const std::uint32_t last = job_.frames + kRecoveryFrames;
    for (std::uint32_t frame = job_.frames + 1; frame <= last; ++frame) {
        if (auto done = show_frame(frame); !done)
            return done;
    }
    return channel_.checkpoint("recovered", last);
}

Result<void> Painter::finish()
{
    if (auto done = card_.disable(); !done)
        return done;
    buffers_.clear();
    if (auto done = channel_.checkpoint("end", 0); !done)
        return done;
    return channel_.report("done", nlohmann::json::object());
}

} // namespace vramlink::demo
