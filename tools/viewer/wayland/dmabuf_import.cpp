// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/dmabuf_import.hpp"

#include "hw/prime/fourcc.hpp"
#include "hw/prime/stopwatch.hpp"

#include <fmt/format.h>

#include <cerrno>

namespace vramlink {
namespace {

constexpr std::chrono::milliseconds answer_limit{2000};

constexpr const char *cpu_reads_nothing = "EOPNOTSUPP: the compositor draws with the CPU, which cannot read "
                                          "a dma-buf that its zwp_linux_dmabuf_v1 takes";

struct Answer {
    bool given = false;
    wl_buffer *buffer = nullptr; ///< null: refused
};

} // namespace

Result<FrameRef> DmabufImport::import_new(int dmabuf, const FrameLayout &layout,
                                          const std::shared_ptr<ImportRecord> &record)
{
    if (!connection_.dmabuf())
        return fail(EOPNOTSUPP,
                    "EOPNOTSUPP: the compositor has no zwp_linux_dmabuf_v1, it takes no dma-bufs");
    const auto format = connection_.formats().choose(layout);
    if (!format)
        return std::unexpected(format.error());
    if (direct_ == DirectDisplay::always)
        return ask(dmabuf, layout, *format, true, record);
    Result<FrameRef> outcome = fail(EOPNOTSUPP, cpu_reads_nothing);
    if (!connection_.draws_with_cpu())
        outcome = ask(dmabuf, layout, *format, false, record);
    if (!outcome && direct_ == DirectDisplay::retry) {
        if (auto again = ask(dmabuf, layout, *format, true, record))
            return again;
    }
    return outcome;
}

Result<FrameRef> DmabufImport::ask(int dmabuf, const FrameLayout &layout,
                                   std::pair<uint32_t, uint64_t> format, bool direct,
                                   const std::shared_ptr<ImportRecord> &record)
{
    const WlPtr<wl_event_queue> queue(wl_display_create_queue(connection_.display()));
    const WlWrapper wrapper(connection_.dmabuf(), queue.get());
    const WlPtr<zwp_linux_buffer_params_v1> params(zwp_linux_dmabuf_v1_create_params(wrapper.get()));
    static const zwp_linux_buffer_params_v1_listener listener{
        [](void *answer, zwp_linux_buffer_params_v1 *, wl_buffer *buffer) {
            *static_cast<Answer *>(answer) = {true, buffer};
        },
        [](void *answer, zwp_linux_buffer_params_v1 *) {
            *static_cast<Answer *>(answer) = {true, nullptr};
        }};
    Answer answer;
    zwp_linux_buffer_params_v1_add_listener(params.get(), &listener, &answer);
    const auto [fourcc, modifier] = format;
    zwp_linux_buffer_params_v1_add(params.get(), dmabuf, 0, layout.offset, layout.stride,
                                   static_cast<uint32_t>(modifier >> 32), static_cast<uint32_t>(modifier));
    if (direct) {
#ifdef VRAMLINK_DIRECT_DISPLAY
        if (!connection_.direct_display())
            return fail(EOPNOTSUPP, "EOPNOTSUPP: the compositor has no weston_direct_display_v1");
        weston_direct_display_v1_enable(connection_.direct_display(), params.get());
#else
        return fail(EOPNOTSUPP, "EOPNOTSUPP: built without weston_direct_display_v1");
#endif
    }
    zwp_linux_buffer_params_v1_create(params.get(), static_cast<int32_t>(layout.width),
                                      static_cast<int32_t>(layout.height), fourcc, 0);
    const Stopwatch time;
    connection_.wait(queue.get(), answer_limit, [&answer] { return answer.given; });
    record->import_us = time.microseconds();
    if (!answer.given)
        return fail(ETIMEDOUT, wl_display_get_error(connection_.display())
                                   ? "ETIMEDOUT: " + connection_.what_broke()
                                   : "ETIMEDOUT: the compositor does not answer an import");
    if (!answer.buffer)
        return fail(EIO,
                    fmt::format("EIO: the compositor does not import this dma-buf of {} bytes{} ({} {}x{}, "
                                "modifier {:#x}; Wayland gives no reason)",
                                record->size, direct ? " for direct display" : "", fourcc_text(fourcc),
                                layout.width, layout.height, modifier));
    wl_proxy_set_queue(reinterpret_cast<wl_proxy *>(answer.buffer),
                       nullptr); // the default queue from here on
    return std::make_shared<WaylandBuffer>(answer.buffer, Extent2{layout.width, layout.height}, record);
}

} // namespace vramlink
