// SPDX-License-Identifier: GPL-2.0-or-later
//
// HostClipboard: the text on the clipboard of the user's desktop, whatever desktop that is.
//
// Thread: the default main context, for calls and callbacks alike.

#ifndef VRAMLINK_TOOLS_VIEWER_HOST_CLIPBOARD_HPP
#define VRAMLINK_TOOLS_VIEWER_HOST_CLIPBOARD_HPP

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <functional>
#include <string>

namespace vramlink {

inline constexpr size_t most_clipboard_bytes = size_t{4} << 20;

class HostClipboard {
  public:
    using Text = std::function<void(Result<std::string>)>;

    HostClipboard() = default;
    HostClipboard(const HostClipboard &) = delete;
    HostClipboard &operator=(const HostClipboard &) = delete;
    virtual ~HostClipboard() = default;

    /// The guest has text (on_paste() tells when somebody wants it), or has none any more.
    virtual void offer(bool has_text) = 0;
    /// The text that a program of the host has put there. @p done is called once, within two seconds, from
    /// the main loop or at once. Errors: ENOENT, there is none; EFBIG, more than most_clipboard_bytes;
    /// ETIMEDOUT.
    virtual void read(Text done) = 0;

    /// A program of the host has put text there, or something else, or nothing.
    std::function<void(bool has_text)> on_changed = [](bool) {};
    /// A program of the host wants the guest's text, written to this descriptor and closed.
    std::function<void(UniqueFd)> on_paste = [](UniqueFd) {};
};

} // namespace vramlink

#endif
