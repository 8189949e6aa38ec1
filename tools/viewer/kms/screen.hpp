// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsScreen: a KMS output as a Screen. Flips pace the guest; while another program drives the device a clock
// does, ten frames a second. KmsScreens makes them, one for each monitor of a device, hands out the device's
// events, and follows monitors that are plugged and unplugged.

#ifndef VRAMLINK_TOOLS_VIEWER_KMS_SCREEN_HPP
#define VRAMLINK_TOOLS_VIEWER_KMS_SCREEN_HPP

#include "hw/prime/kms_card.hpp"
#include "hw/prime/kms_cursor.hpp"
#include "tools/viewer/kms/desk.hpp"
#include "tools/viewer/kms/hotplug_watch.hpp"
#include "tools/viewer/screen.hpp"

#include <glib.h>

#include <map>

namespace vramlink {

class KmsScreens;

class KmsScreen final : public Screen, public DeskScreen {
  public:
    /// @p output and @p owner must outlive the screen.
    KmsScreen(KmsOutput &output, KmsScreens &owner);
    ~KmsScreen() override;

    PrimeImporter &importer() override { return importer_; }
    [[nodiscard]] const PrimeImporter &importer() const override { return importer_; }
    Result<std::unique_ptr<Canvas>> make_canvas(uint32_t width, uint32_t height) override;
    Result<Shown> show(const FrameRef &frame, const Rect &damage) override;
    Result<void> show_neutral() override;
    [[nodiscard]] int64_t patience_us() const override;
    Result<void> give_up() override;
    [[nodiscard]] bool has_monitor() const override { return output_.has_monitor(); }
    [[nodiscard]] ScreenSize size() const override;
    [[nodiscard]] std::string describe() const override { return output_.describe(); }
    void add_stats(nlohmann::json &stats) const override;
    void listen(std::function<void(const std::string &)> gone) override;
    void set_input(InputSink *input) override;
    void cursor(const CursorImage &image) override;
    void cursor_at(const CursorPlace &place) override;

    [[nodiscard]] InputSink *input() const override { return input_; }
    [[nodiscard]] Extent2 seen() const override { return output_.seen(); }
    void point_at(int x, int y) override;
    void point_away() override;

    /// The output's flip has ended.
    void flip_ended();
    /// Another program drives the device; it is ours again, and what was pending is seen.
    void sleep() { cursor_.sleep(); }
    void wake();

  private:
    void show_cursor();

    KmsOutput &output_;
    KmsScreens &owner_;
    PrimeImporter importer_;
    KmsCursor cursor_;
    InputSink *input_ = nullptr;
    bool in_flight_ = false;    ///< show() has answered pending
    bool cursor_wanted_ = true; ///< by the guest
    bool away_ = false;         ///< the desk's pointer is on another monitor
};

class KmsScreens {
  public:
    /// @p card must outlive it.
    explicit KmsScreens(KmsCard &card) : card_(card) {}
    KmsScreens(const KmsScreens &) = delete;
    KmsScreens &operator=(const KmsScreens &) = delete;
    ~KmsScreens();

    /// A screen for the first monitor that has none. ENODEV: there is no other. It must not outlive this.
    Result<std::unique_ptr<Screen>> make();
    /// Monitors that are plugged in; 1 at least, for the picture stays where the last one was.
    [[nodiscard]] size_t monitors() const;

    /// Where the user's pointer and keys go; of all screens.
    [[nodiscard]] Desk &desk() { return desk_; }

    /// Another program drives the device; it is ours again.
    void sleep();
    void wake();

    /// From now on events are waited for in the default main context. @p gone: the device is lost.
    void listen(std::function<void(const std::string &)> gone);
    /// A monitor was plugged in or unplugged.
    std::function<void()> on_plugged = [] {};

    /// The device has events. An error means that it is gone.
    Result<void> read_events();
    /// Something was plugged, says the kernel.
    void plugged();

  private:
    friend class KmsScreen;
    static gboolean on_device(gint fd, GIOCondition condition, gpointer self);

    KmsCard &card_;
    Desk desk_;
    std::map<const KmsOutput *, KmsScreen *> screens_;
    std::unique_ptr<HotplugWatch> hotplug_;
    std::function<void(const std::string &)> gone_;
    guint source_ = 0;
};

} // namespace vramlink

#endif
