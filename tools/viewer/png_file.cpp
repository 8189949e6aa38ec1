// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/png_file.hpp"

#include "tools/viewer/stats.hpp"

#include <fmt/format.h>
#include <png.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace vramlink {

Result<void> write_png(const Picture &picture, const std::string &path)
{
    std::string rgb;
    rgb.reserve(picture.pixels.size() * 3);
    for (const uint32_t pixel : picture.pixels) {
        for (const unsigned shift : {16U, 8U, 0U})
            rgb += static_cast<char>((pixel >> shift) & 0xff);
    }
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width;
    image.height = picture.height;
    image.format = PNG_FORMAT_RGB;
    png_alloc_size_t size = 0;
    if (!png_image_write_get_memory_size(image, size, 0, rgb.data(), 0, nullptr))
        return fail(EINVAL, fmt::format("libpng: {}", &image.message[0]));
    std::string file(size, '\0');
    if (!png_image_write_to_memory(&image, file.data(), &size, 0, rgb.data(), 0, nullptr))
        return fail(EINVAL, fmt::format("libpng: {}", &image.message[0]));
    file.resize(size);
    if (path != "-")
        return write_atomically(path, file);
    if (std::fwrite(file.data(), 1, file.size(), stdout) != file.size() || std::fflush(stdout) != 0) {
        const int code = errno;
        return fail(code, fmt::format("cannot write to standard output: {}", std::strerror(code)));
    }
    return {};
}

} // namespace vramlink
