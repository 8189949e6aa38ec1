// SPDX-License-Identifier: GPL-2.0-or-later
#include "image_io.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <png.h>

#include <fmt/core.h>

namespace vramlink::demo {

namespace {

constexpr std::uint32_t kMaxSide = 16384;

} // namespace

Result<Image> read_ppm(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return fail(errno, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
    std::string magic;
    Image image;
    std::uint32_t maximum = 0;
    file >> magic >> image.width >> image.height >> maximum;
    if (!file || magic != "P6" || maximum != 255)
        return fail(EINVAL,
                    fmt::format("{} is no P6 image of 255 levels (found '{}', {})", path, magic, maximum));
    if (image.width == 0 || image.height == 0 || image.width > kMaxSide || image.height > kMaxSide)
        return fail(EINVAL, fmt::format("{} claims {}x{} pixels; 1 to {} a side are read", path, image.width,
                                        image.height, kMaxSide));
    file.get(); // exactly one white space separates header and pixels
    image.rgb.resize(std::size_t{image.width} * image.height * 3);
    file.read(reinterpret_cast<char *>(image.rgb.data()), static_cast<std::streamsize>(image.rgb.size()));
    if (static_cast<std::size_t>(file.gcount()) != image.rgb.size())
        return fail(EINVAL,
                    fmt::format("{} ends after {} of {} bytes", path, file.gcount(), image.rgb.size()));
    return image;
}

Result<void> write_png(const Image &image, const std::string &path)
{
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = image.width;
    png.height = image.height;
    png.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&png, path.c_str(), 0, image.rgb.data(), 0, nullptr) == 0)
        return fail(EIO, fmt::format("cannot write {}: {}", path, &png.message[0]));
    return {};
}

} // namespace vramlink::demo
