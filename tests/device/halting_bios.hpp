// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace vramlink::test {

/// A firmware that does nothing, so that a machine may run and the test is still its guest.
class HaltingBios {
  public:
    HaltingBios()
        : path_(std::filesystem::temp_directory_path() / ("vramlink-bios-" + std::to_string(getpid())))
    {
        constexpr std::size_t size = 64 * 1024, reset_vector = size - 16;
        std::string image(size, '\xf4');                // hlt
        image.replace(reset_vector, 3, "\xf4\xeb\xfd"); // hlt, and back to it
        std::ofstream(path_, std::ios::binary) << image;
    }
    ~HaltingBios() { std::filesystem::remove(path_); }
    HaltingBios(const HaltingBios &) = delete;
    HaltingBios &operator=(const HaltingBios &) = delete;
    [[nodiscard]] std::string argument() const { return "-bios " + path_.string(); }

  private:
    std::filesystem::path path_;
};

} // namespace vramlink::test
