// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/memory_screen.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <utility>

namespace vramlink {
namespace {

class PictureFrame final : public Showable {
  public:
    explicit PictureFrame(std::shared_ptr<const Picture> picture) : picture_(std::move(picture)) {}
    [[nodiscard]] const std::shared_ptr<const Picture> &picture() const { return picture_; }

  private:
    std::shared_ptr<const Picture> picture_;
};

class PictureCanvas final : public Canvas {
  public:
    explicit PictureCanvas(std::shared_ptr<Picture> picture)
        : picture_(std::move(picture)), frame_(std::make_shared<PictureFrame>(picture_))
    {
    }
    [[nodiscard]] uint32_t width() const override { return picture_->width; }
    [[nodiscard]] uint32_t height() const override { return picture_->height; }
    [[nodiscard]] std::span<uint32_t> row(uint32_t y) override
    {
        return std::span(picture_->pixels).subspan(size_t{y} * picture_->width, picture_->width);
    }
    [[nodiscard]] FrameRef frame() const override { return frame_; }

  private:
    std::shared_ptr<Picture> picture_;
    FrameRef frame_;
};

} // namespace

class MemoryScreen::Refusal final : public ImportCache {
    Result<FrameRef> import_new(int, const FrameLayout &, const std::shared_ptr<ImportRecord> &) override
    {
        return fail(EOPNOTSUPP, "EOPNOTSUPP: a picture in memory takes no dma-bufs");
    }
};

MemoryScreen::MemoryScreen() : refusal_(std::make_unique<Refusal>()) {}
MemoryScreen::~MemoryScreen() = default;

ImportCache &MemoryScreen::importer()
{
    return *refusal_;
}

const ImportCache &MemoryScreen::importer() const
{
    return *refusal_;
}

Result<std::unique_ptr<Canvas>> MemoryScreen::make_canvas(uint32_t width, uint32_t height)
{
    if (width == 0 || height == 0 || width > max_frame_side || height > max_frame_side)
        return fail(EINVAL, fmt::format("a picture of {}x{} pixels: each side must be 1 to {}", width, height,
                                        max_frame_side));
    auto picture = std::make_shared<Picture>();
    picture->width = width;
    picture->height = height;
    picture->pixels.resize(size_t{width} * height);
    return std::make_unique<PictureCanvas>(std::move(picture));
}

Result<Screen::Shown> MemoryScreen::show(const FrameRef &frame, const Rect &)
{
    picture_ = static_cast<const PictureFrame &>(*frame).picture(); // our own make, see Screen::show()
    on_picture();
    return Shown::now;
}

Result<void> MemoryScreen::show_neutral()
{
    picture_.reset();
    return {};
}

void MemoryScreen::add_stats(nlohmann::json &stats) const
{
    stats["screen"] = "memory";
    stats["note"] = note_.empty() ? nlohmann::json() : nlohmann::json(note_);
}

} // namespace vramlink
