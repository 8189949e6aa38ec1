// SPDX-License-Identifier: GPL-2.0-or-later
//
// Log lines on stderr, one sentence each, from one level up.

#ifndef VRAMLINK_TOOLS_VIEWER_LOG_HPP
#define VRAMLINK_TOOLS_VIEWER_LOG_HPP

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace vramlink {

enum class LogLevel { error, warning, info, debug };

class Log {
  public:
    static inline LogLevel level = LogLevel::info; ///< set once at start

    template <class... Args> static void error(fmt::format_string<Args...> f, Args &&...args)
    {
        write(LogLevel::error, "error: ", fmt::format(f, std::forward<Args>(args)...));
    }
    template <class... Args> static void warning(fmt::format_string<Args...> f, Args &&...args)
    {
        write(LogLevel::warning, "warning: ", fmt::format(f, std::forward<Args>(args)...));
    }
    template <class... Args> static void info(fmt::format_string<Args...> f, Args &&...args)
    {
        write(LogLevel::info, "", fmt::format(f, std::forward<Args>(args)...));
    }
    template <class... Args> static void debug(fmt::format_string<Args...> f, Args &&...args)
    {
        if (level >= LogLevel::debug) // spares the formatting on the hot path
            write(LogLevel::debug, "debug: ", fmt::format(f, std::forward<Args>(args)...));
    }

  private:
    static void write(LogLevel at, const char *prefix, const std::string &sentence)
    {
        if (at <= level)
            fmt::print(stderr, "vramlink-viewer: {}{}\n", prefix, sentence);
    }
};

} // namespace vramlink

#endif
