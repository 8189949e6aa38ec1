// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/picture.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace vramlink::test {

Picture Picture::part(Rect r) const
{
    Picture result{r.width, r.height, {}};
    result.pixels.reserve(std::size_t{r.width} * r.height);
    for (std::uint32_t row = r.y; row < r.y + r.height; row++) {
        const auto first = pixels.begin() + static_cast<std::ptrdiff_t>(std::size_t{row} * width + r.x);
        result.pixels.insert(result.pixels.end(), first, first + r.width);
    }
    return result;
}

Picture paint(std::uint32_t width, std::uint32_t height, std::uint32_t seed)
{
    Picture picture{width, height, {}};
    picture.pixels.reserve(std::size_t{width} * height);
    for (std::uint32_t y = 0; y < height; y++)
        for (std::uint32_t x = 0; x < width; x++)
            picture.pixels.push_back((((x + seed) * 0x9e3779b1u) ^ ((y + 7 * seed) * 0x85ebca6bu)) &
                                     0xffffff);
    return picture;
}

void put(Machine &machine, const std::vector<Entry> &entries, const Picture &picture, std::uint64_t skip)
{
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(picture.pixels.data());
    std::uint64_t left = picture.bytes();
    for (const auto &entry : entries) {
        const std::uint64_t start = std::min<std::uint64_t>(skip, entry.length);
        const std::uint64_t length = std::min<std::uint64_t>(left, entry.length - start);
        skip -= start;
        if (length)
            vm_write(machine.raw(), entry.addr + start, bytes, length);
        bytes += length;
        left -= length;
    }
    ASSERT_EQ(left, 0u) << "the picture does not fit into the entries";
}

/// A binary PPM as QEMU writes it: "P6 w h 255" and three bytes a pixel.
Picture read_ppm(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    Picture picture;
    unsigned depth = 0;
    file >> magic >> picture.width >> picture.height >> depth;
    file.get();
    std::vector<unsigned char> rgb(std::size_t{3} * picture.width * picture.height);
    file.read(reinterpret_cast<char *>(rgb.data()), static_cast<std::streamsize>(rgb.size()));
    if (magic != "P6" || !file) {
        ADD_FAILURE() << path << " is no complete PPM";
        return {};
    }
    for (std::size_t i = 0; i < rgb.size(); i += 3)
        picture.pixels.push_back(static_cast<std::uint32_t>(rgb[i] << 16 | rgb[i + 1] << 8 | rgb[i + 2]));
    return picture;
}

Picture screendump(Machine &machine, unsigned head)
{
    const std::string path =
        std::filesystem::temp_directory_path() / ("vramlink-shot-" + std::to_string(getpid()) + ".ppm");
    const Json answer =
        machine.qmp({{"execute", "screendump"},
                     {"arguments", {{"filename", path}, {"device", "vram0"}, {"head", head}}}});
    Picture picture = answer.is_null() ? Picture{} : read_ppm(path);
    std::filesystem::remove(path);
    return picture;
}

std::string difference(const Picture &expected, const Picture &seen)
{
    std::ostringstream text;
    if (expected.width != seen.width || expected.height != seen.height) {
        text << "size " << seen.width << "x" << seen.height << " instead of " << expected.width << "x"
             << expected.height;
        return text.str();
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < expected.pixels.size(); i++) {
        if (expected.pixels[i] == seen.pixels[i])
            continue;
        if (wrong++ == 0)
            text << "first wrong pixel at " << i % expected.width << "," << i / expected.width << std::hex
                 << ": 0x" << seen.pixels[i] << " instead of 0x" << expected.pixels[i] << std::dec << "; ";
    }
    if (wrong)
        text << wrong << " of " << expected.pixels.size() << " pixels differ";
    return text.str();
}

} // namespace vramlink::test
