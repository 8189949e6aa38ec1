// SPDX-License-Identifier: GPL-2.0-or-later
//
// testcard-check: does a screendump show the test card of this seed and frame? Prints one JSON object.
//
// Exit codes: 0 equal, 1 different, 2 could not look. Without --frame nothing is compared: the picture is
// only described (--png, "distinct_colours"), for frames that are not the guest's.

#include <array>
#include <cstdio>
#include <exception>
#include <optional>
#include <unordered_set>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "image_io.hpp"
#include "test_card.hpp"

namespace {

using namespace vramlink;
using namespace vramlink::demo;

constexpr int kEqual = 0;
constexpr int kDifferent = 1;
constexpr int kCouldNotLook = 2;
constexpr std::size_t kManyColours = 4096; // counting stops here: enough to tell a picture from a plain frame

struct Comparison {
    std::uint64_t mismatching = 0;
    std::uint64_t mismatching_pages = 0; ///< 4 KiB pages of the framebuffer with at least one such pixel
    std::optional<std::array<std::uint32_t, 2>> first;
};

Comparison compare(const Image &image, const TestCard &card)
{
    constexpr std::uint64_t kPagePixels = 1024;
    Comparison found;
    std::optional<std::uint64_t> last_page;
    std::vector<std::uint32_t> row(image.width);
    for (std::uint32_t y = 0; y < image.height; ++y) {
        card.paint_row(y, row);
        for (std::uint32_t x = 0; x < image.width; ++x) {
            if (row[x] == image.pixel(x, y))
                continue;
            ++found.mismatching;
            const std::uint64_t page = (std::uint64_t{y} * image.width + x) / kPagePixels;
            if (page != last_page)
                ++found.mismatching_pages;
            last_page = page;
            if (!found.first)
                found.first = {x, y};
        }
    }
    return found;
}

std::size_t count_colours(const Image &image)
{
    std::unordered_set<std::uint32_t> seen;
    for (std::uint32_t y = 0; y < image.height && seen.size() < kManyColours; ++y) {
        for (std::uint32_t x = 0; x < image.width; ++x)
            seen.insert(image.pixel(x, y));
    }
    return seen.size();
}

struct Options {
    CardSpec spec;
    std::string ppm;
    std::string png;
    bool compare = false;
};

int complain(const Error &error)
{
    fmt::print(stderr, "testcard-check: {}\n", error.text);
    return kCouldNotLook;
}

/// Adds what the comparison found to @p result; true when picture and card are equal.
bool compare_with_card(const Image &image, CardSpec spec, nlohmann::json &result)
{
    const bool right_size =
        (spec.width == 0 || spec.width == image.width) && (spec.height == 0 || spec.height == image.height);
    spec.width = image.width;
    spec.height = image.height;
    const Comparison found = compare(image, TestCard(spec));
    result["seed"] = spec.seed;
    result["frame"] = spec.frame;
    result["right_size"] = right_size;
    result["mismatching_pixels"] = found.mismatching;
    result["mismatching_pages"] = found.mismatching_pages;
    if (found.first)
        result["first"] = *found.first;
    return right_size && found.mismatching == 0;
}

int check(const Options &options)
{
    const auto image = read_ppm(options.ppm);
    if (!image)
        return complain(image.error());
    if (!options.png.empty()) {
        if (auto written = write_png(*image, options.png); !written)
            return complain(written.error());
    }
    nlohmann::json result{{"width", image->width},
                          {"height", image->height},
                          {"pixels", std::uint64_t{image->width} * image->height},
                          {"distinct_colours", count_colours(*image)}};
    const bool equal = !options.compare || compare_with_card(*image, options.spec, result);
    fmt::print("{}\n", result.dump());
    return equal ? kEqual : kDifferent;
}

} // namespace

int main(int argc, char **argv)
{
    try {
        Options options;
        CLI::App app{"Compares a screendump with the test card, pixel for pixel"};
        app.add_option("ppm", options.ppm, "screendump (binary PPM)")->required();
        app.add_option("--seed", options.spec.seed);
        const auto *frame = app.add_option("--frame", options.spec.frame, "compare with this frame's card");
        app.add_option("--width", options.spec.width, "width that the picture must have");
        app.add_option("--height", options.spec.height, "height that the picture must have");
        app.add_option("--png", options.png, "write the screendump as PNG");
        CLI11_PARSE(app, argc, argv);
        options.compare = frame->count() != 0;
        return check(options);
    } catch (const std::exception &error) {
        (void)std::fprintf(stderr, "testcard-check: %s\n", error.what()); // fmt could throw here
        return kCouldNotLook;
    }
}
