// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsScreen: a KMS output as a Screen. Flips pace the guest.

#ifndef VRAMLINK_TOOLS_VIEWER_KMS_SCREEN_HPP
#define VRAMLINK_TOOLS_VIEWER_KMS_SCREEN_HPP

#include "hw/prime/kms_output.hpp"
#include "tools/viewer/screen.hpp"

#include <glib.h>

namespace vramlink {

class KmsScreen final : public Screen {
  public:
    /// @p output must outlive the screen.
    explicit KmsScreen(KmsOutput &output) : output_(output), importer_(output.device()) {}
    ~KmsScreen() override;

    PrimeImporter &importer() override { return importer_; }
    [[nodiscard]] const PrimeImporter &importer() const override { return importer_; }
    Result<std::unique_ptr<Canvas>> make_canvas(uint32_t width, uint32_t height) override;
    Result<Shown> show(const FrameRef &frame, const Rect &damage) override;
    Result<void> show_neutral() override { return output_.show_neutral(); }
    [[nodiscard]] int64_t patience_us() const override;
    Result<void> give_up() override;
    [[nodiscard]] ScreenSize size() const override;
    [[nodiscard]] std::string describe() const override { return output_.describe(); }
    void add_stats(nlohmann::json &stats) const override;
    void listen(std::function<void(const std::string &)> gone) override;

    /// The device has events. An error means that the device is gone.
    Result<void> read_events();

  private:
    static gboolean on_device(gint fd, GIOCondition condition, gpointer self);

    KmsOutput &output_;
    PrimeImporter importer_;
    std::function<void(const std::string &)> gone_;
    guint source_ = 0;
};

} // namespace vramlink

#endif
