// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef VRAMLINK_TESTS_DEVICE_GL_CHOICE_HPP
#define VRAMLINK_TESTS_DEVICE_GL_CHOICE_HPP

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace vramlink::test {

/// What gl_importer.c is told; may change while a program runs with it.
class GlChoice {
  public:
    GlChoice() : path_(std::filesystem::temp_directory_path() / ("vramlink-gl-" + std::to_string(getpid())))
    {
    }
    ~GlChoice() { std::filesystem::remove(path_); }
    GlChoice(const GlChoice &) = delete;
    GlChoice &operator=(const GlChoice &) = delete;

    /// The driver's name, and "lazy" or "eager".
    void say(const std::string &driver, const std::string &mode) const
    {
        std::ofstream(path_) << driver << " " << mode << "\n";
    }
    [[nodiscard]] std::string environment() const { return "VRAMLINK_TEST_GL=" + path_.string(); }

  private:
    std::filesystem::path path_;
};

} // namespace vramlink::test

#endif
