// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/xvfb.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fs = std::filesystem;

namespace vramlink::test {

namespace {

/// Xvfb writes the number of the display that it found free, and a newline.
std::string read_display(int fd)
{
    constexpr int limit_ms = 20'000;
    std::string text;
    char letter = 0;
    pollfd ready{fd, POLLIN, 0};
    while (poll(&ready, 1, patience(limit_ms)) == 1 && read(fd, &letter, 1) == 1 && letter != '\n')
        text += letter;
    return letter == '\n' ? ":" + text : "";
}

} // namespace

Xvfb::Xvfb()
{
    std::string name = fs::temp_directory_path() / "vramlink-xvfb-XXXXXX";
    std::array<int, 2> report{};
    if (mkdtemp(name.data()) == nullptr || pipe2(report.data(), O_CLOEXEC) != 0)
        return;
    directory_ = name;
    constexpr int report_in_child = 100;
    posix_spawn_file_actions_t files{};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, report[1], report_in_child);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::vector<std::string> words{
        "Xvfb",    "-displayfd", std::to_string(report_in_child),
        "-screen", "0",          std::to_string(width) + "x" + std::to_string(height) + "x24",
        "-fbdir",  directory_,   "-nolisten",
        "tcp",     "-noreset"};
    std::vector<char *> argv;
    std::transform(words.begin(), words.end(), std::back_inserter(argv),
                   [](auto &word) { return word.data(); });
    argv.push_back(nullptr);
    if (posix_spawnp(&pid_, "Xvfb", &files, nullptr, argv.data(), environ) != 0)
        pid_ = -1;
    posix_spawn_file_actions_destroy(&files);
    close(report[1]);
    if (pid_ > 0)
        display_ = read_display(report[0]);
    close(report[0]);
}

Xvfb::~Xvfb()
{
    if (pid_ > 0) {
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
    }
    std::error_code gone;
    if (!directory_.empty())
        fs::remove_all(directory_, gone);
}

/// An XWD file (X11/XWDfile.h): a header of big-endian words, a colour map, pixels as the server has them.
Picture Xvfb::screen() const
{
    constexpr std::size_t header_words = 25, header_size_at = 0, colors_at = 19, color_bytes = 12;
    std::ifstream file(directory_ + "/Xvfb_screen0", std::ios::binary);
    std::array<std::uint32_t, header_words> header{};
    file.read(reinterpret_cast<char *>(header.data()), sizeof header);
    if (!file)
        return {};
    const auto word = [&](std::size_t i) { return __builtin_bswap32(header[i]); };
    Picture picture{width, height, std::vector<std::uint32_t>(std::size_t{width} * height)};
    file.seekg(static_cast<std::streamoff>(word(header_size_at) + word(colors_at) * color_bytes));
    file.read(reinterpret_cast<char *>(picture.pixels.data()), static_cast<std::streamsize>(picture.bytes()));
    if (!file)
        return {};
    for (auto &pixel : picture.pixels)
        pixel &= 0xffffff;
    return picture;
}

bool Xvfb::shows(const Picture &picture) const
{
    const auto found = [&](const Picture &all) {
        for (std::uint32_t y = 0; y + picture.height <= all.height; y++) {
            for (std::uint32_t x = 0; x + picture.width <= all.width; x++) {
                if (all.pixels[std::size_t{y} * all.width + x] == picture.pixels[0] &&
                    difference(picture, all.part({x, y, picture.width, picture.height})).empty())
                    return true;
            }
        }
        return false;
    };
    return eventually([&] {
        const Picture all = screen();
        return all.width >= picture.width && found(all);
    });
}

} // namespace vramlink::test
