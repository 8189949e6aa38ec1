// SPDX-License-Identifier: GPL-2.0-or-later
//
// MemoryScreen: a Screen that nobody looks at. It keeps the pixels of the last frame, for a screenshot.
//
// It imports nothing: what it is to show is copied into a canvas of its own, by mapping the dma-buf where its
// exporter allows that. Thread: one.

#ifndef VRAMLINK_TOOLS_VIEWER_MEMORY_SCREEN_HPP
#define VRAMLINK_TOOLS_VIEWER_MEMORY_SCREEN_HPP

#include "tools/viewer/screen.hpp"

#include <vector>

namespace vramlink {

/// Rows without gaps, 0x00RRGGBB a pixel; shared by the canvas and its frame.
struct Picture {
    uint32_t width = 0, height = 0;
    std::vector<uint32_t> pixels;
};

class MemoryScreen final : public Screen {
  public:
    MemoryScreen();
    ~MemoryScreen() override;

    ImportCache &importer() override;
    [[nodiscard]] const ImportCache &importer() const override;
    Result<std::unique_ptr<Canvas>> make_canvas(uint32_t width, uint32_t height) override;
    Result<Shown> show(const FrameRef &frame, const Rect &damage) override;
    Result<void> show_neutral() override;
    [[nodiscard]] int64_t patience_us() const override { return 0; } // nothing is ever pending
    Result<void> give_up() override { return {}; }
    void note(const std::string &why) override { note_ = why; }
    [[nodiscard]] ScreenSize size() const override { return {}; }
    [[nodiscard]] std::string describe() const override { return "a picture in memory"; }
    void add_stats(nlohmann::json &stats) const override;
    void listen(std::function<void(const std::string &)>) override {}

    /// Null: the neutral frame is shown.
    [[nodiscard]] std::shared_ptr<const Picture> picture() const { return picture_; }
    /// Why the guest's buffer had to be copied, or could not be; empty: it was pixels already.
    [[nodiscard]] const std::string &note() const { return note_; }
    std::function<void()> on_picture = [] {}; ///< picture() is another one

  private:
    class Refusal;
    std::unique_ptr<Refusal> refusal_;
    std::shared_ptr<const Picture> picture_;
    std::string note_;
};

} // namespace vramlink

#endif
