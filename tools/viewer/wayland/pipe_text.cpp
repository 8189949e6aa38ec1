// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/pipe_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <glib-unix.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace vramlink {
namespace {

constexpr guint limit_ms = 2000;

class Reading {
  public:
    Reading(UniqueFd from, size_t most, std::function<void(Result<std::string>)> done)
        : from_(std::move(from)), most_(most), done_(std::move(done))
    {
        (void)fcntl(from_.get(), F_SETFL, O_NONBLOCK);
        constexpr auto events = static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR);
        source_ = g_unix_fd_add(from_.get(), events, &Reading::on_ready, this);
        limit_ = g_timeout_add(limit_ms, &Reading::on_limit, this);
    }
    Reading(const Reading &) = delete;
    Reading &operator=(const Reading &) = delete;

  private:
    static gboolean on_ready(gint, GIOCondition, gpointer self)
    {
        static_cast<Reading *>(self)->read_more();
        return G_SOURCE_CONTINUE;
    }
    static gboolean on_limit(gpointer self)
    {
        static_cast<Reading *>(self)->end(
            fail(ETIMEDOUT, fmt::format("the clipboard's text did not end within {} ms", limit_ms)));
        return G_SOURCE_CONTINUE;
    }

    void read_more()
    {
        std::array<char, 65536> chunk{};
        const ssize_t got = ::read(from_.get(), chunk.data(), chunk.size());
        if (got == 0)
            return end(std::move(text_));
        if (got < 0) {
            const int code = errno;
            if (code != EAGAIN && code != EINTR)
                end(fail(code, fmt::format("the clipboard's text: {}", std::strerror(code))));
            return;
        }
        text_.append(chunk.data(), static_cast<size_t>(got));
        if (text_.size() > most_)
            end(fail(EFBIG, fmt::format("the clipboard's text has more than {} bytes", most_)));
    }

    void end(Result<std::string> outcome)
    {
        const std::unique_ptr<Reading> own(this);
        g_source_remove(source_);
        g_source_remove(limit_);
        done_(std::move(outcome));
    }

    UniqueFd from_;
    size_t most_;
    std::function<void(Result<std::string>)> done_;
    std::string text_;
    guint source_ = 0, limit_ = 0;
};

} // namespace

void read_text(UniqueFd from, size_t most, std::function<void(Result<std::string>)> done)
{
    new Reading(std::move(from), most, std::move(done)); // NOLINT: it ends itself
}

} // namespace vramlink
