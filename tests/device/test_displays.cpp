// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every display that QEMU has: the guest's picture arrives, a blob's and a 2D resource's, the plan and its
// reason are as they should be, and nothing stays when the display goes.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"
#include "tests/device/rfb.hpp"
#include "tests/device/xvfb.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t flat_id = 11; ///< a 2D resource
constexpr std::uint32_t width = 640, height = 480;
constexpr Rect whole{0, 0, width, height};

/// A guest that shows pictures in a blob that is scattered over a BAR.
class Screen {
  public:
    explicit Screen(const Machine::Options &options)
        : machine(options), gpu(machine), bar(machine.map_bar(5, 2))
    {
        const Picture first = paint(width, height, 0);
        entries_ = scattered(bar.address, first.pages(), 1);
        put(machine, entries_, first);
        EXPECT_STREQ(answer_name(gpu.create_blob(id, first.bytes(), entries_)), "OK");
        EXPECT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, first))), "OK");
    }

    /// Paints another picture, flushes it, and returns it.
    Picture next()
    {
        Picture picture = paint(width, height, ++seed_);
        put(machine, entries_, picture);
        EXPECT_STREQ(answer_name(gpu.fenced_flush(id, whole)), "OK");
        return picture;
    }

    /// Shows a picture in a 2D resource instead of the blob.
    Picture next_2d()
    {
        Picture picture = paint(width, height, ++seed_);
        const std::uint64_t ram = vm_alloc(machine.raw(), picture.bytes());
        put(machine, linear(ram, picture.bytes()), picture);
        EXPECT_STREQ(answer_name(gpu.create_2d(flat_id, width, height)), "OK");
        EXPECT_STREQ(answer_name(gpu.attach(flat_id, linear(ram, picture.bytes()))), "OK");
        EXPECT_STREQ(answer_name(gpu.transfer_to_host_2d(flat_id, whole)), "OK");
        EXPECT_STREQ(answer_name(gpu.set_scanout(0, flat_id, whole)), "OK");
        EXPECT_STREQ(answer_name(gpu.fenced_flush(flat_id, whole)), "OK");
        return picture;
    }

    /// Back from the 2D resource to the blob.
    void blob_again()
    {
        EXPECT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, paint(width, height, 0)))),
                     "OK");
        EXPECT_STREQ(answer_name(gpu.unref(flat_id)), "OK");
    }

    Machine machine;
    Gpu gpu;
    Machine::Bar bar;

  private:
    std::vector<Entry> entries_;
    std::uint32_t seed_ = 0;
};

Machine::Options local(const std::string &display, const std::string &environment = "")
{
    Machine::Options options{.devices = ivshmem("near", 5, 16)};
    options.display = display;
    options.environment = environment;
    return options;
}

/// The plan where the display takes surfaces, or nothing can be exported: ivshmem memory is a memfd, and
/// there may or may not be a /dev/udmabuf.
void expect_seen_by_the_cpu(Screen &screen)
{
    const Json blob = screen.machine.blob(id);
    EXPECT_EQ(blob["view"], "mapped") << blob.dump();
    EXPECT_TRUE(blob["plan"] == "mapped" || blob["plan"] == "shared") << blob.dump();
    EXPECT_EQ(screen.machine.stats()["totals"]["bytes_copied"], 0);
}

void expect_screendump(Screen &screen, const Picture &picture)
{
    EXPECT_EQ(difference(picture, screendump(screen.machine)), "");
}

bool reader_shows(const Reader &reader, const Picture &picture)
{
    return eventually([&] {
        Picture seen{width, height, std::vector<std::uint32_t>(std::size_t{width} * height)};
        return reading_consumer_pixels(reader.get(), seen.pixels.data(), width, height) &&
               difference(picture, seen).empty();
    });
}

/// What a VNC viewer that connects now sees, and goes on seeing.
class Viewer {
  public:
    explicit Viewer(const std::string &socket) : client_(socket) { client_.request(false); }
    bool shows(const Picture &picture)
    {
        for (int updates = 0; updates < 50 && client_.connected() && client_.update(); updates++) {
            client_.request(true);
            if (difference(picture, client_.picture()).empty())
                return true;
        }
        return false;
    }

  private:
    Rfb client_;
};

TEST(Displays, None)
{
    Screen screen(local("none"));
    expect_screendump(screen, screen.next());
    expect_screendump(screen, screen.next_2d());
    screen.blob_again();
    expect_screendump(screen, screen.next());
    expect_seen_by_the_cpu(screen);
}

TEST(Displays, Vnc)
{
    const std::string socket = Rfb::new_socket();
    Screen screen(local("none" + Rfb::server_argument(socket)));
    {
        Viewer early(socket);
        EXPECT_TRUE(early.shows(screen.next()));
        EXPECT_TRUE(early.shows(screen.next_2d()));
        screen.blob_again();
        const Picture picture = screen.next();
        EXPECT_TRUE(early.shows(picture));
        Viewer late(socket);
        EXPECT_TRUE(late.shows(picture)) << "without a new flush";
        EXPECT_TRUE(early.shows(screen.next())) << "beside another viewer";
        expect_screendump(screen, screen.next());
    }
    (void)screen.next();
    Viewer again(socket);
    EXPECT_TRUE(again.shows(screen.next()));
    expect_seen_by_the_cpu(screen);
}

TEST(Displays, ViewersComeAndGoWithoutALeak)
{
    const std::string socket = Rfb::new_socket();
    Screen screen(local("none" + Rfb::server_argument(socket)));
    const auto visit = [&] {
        Viewer viewer(socket);
        EXPECT_TRUE(viewer.shows(screen.next()));
    };
    visit();
    (void)screen.next();
    const Held before = screen.machine.held();
    for (int i = 0; i < 5; i++)
        visit();
    EXPECT_TRUE(eventually([&] {
        (void)screen.next(); // VNC notices a viewer that has left when it sends
        return screen.machine.held().fds <= before.fds;
    }));
    EXPECT_LE(screen.machine.held().maps, before.maps + heap_maps);
}

TEST(Displays, DbusWithoutGl)
{
    Screen screen(local("dbus,p2p=yes,gl=off"));
    (void)screen.next();
    const Reader first = connect_reader(screen.machine, {.pause_ms = 0, .lets_go_early = false});
    ASSERT_TRUE(first);
    EXPECT_TRUE(reader_shows(first, screen.next()));
    {
        const Reader second = connect_reader(screen.machine, {.pause_ms = 0, .lets_go_early = false});
        ASSERT_TRUE(second);
        const Picture both = screen.next();
        EXPECT_TRUE(reader_shows(first, both));
        EXPECT_TRUE(reader_shows(second, both));
    }
    EXPECT_TRUE(reader_shows(first, screen.next_2d()));
    screen.blob_again();
    EXPECT_TRUE(reader_shows(first, screen.next()));
    expect_seen_by_the_cpu(screen);
}

TEST(Displays, DbusBesideVnc)
{
    const std::string socket = Rfb::new_socket();
    Screen screen(local("dbus,p2p=yes,gl=off" + Rfb::server_argument(socket)));
    const Reader reader = connect_reader(screen.machine, {.pause_ms = 0, .lets_go_early = false});
    ASSERT_TRUE(reader);
    Viewer viewer(socket);
    for (int i = 0; i < 3; i++) {
        const Picture picture = screen.next();
        EXPECT_TRUE(viewer.shows(picture));
        EXPECT_TRUE(reader_shows(reader, picture));
    }
}

/// What a spice client shows: spicy-screenshot takes the first frame that it is sent.
Picture spice_screenshot(const std::string &socket)
{
    const std::string file = socket + ".ppm";
    const std::string command =
        "spicy-screenshot --uri=spice+unix://" + socket + " --out-file=" + file + " >/dev/null 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    Picture picture = read_ppm(file);
    std::filesystem::remove(file);
    return picture;
}

/// Firmware that does nothing, so that the VM can run while the test is its guest: cli, hlt, and back.
std::string idle_firmware()
{
    constexpr std::size_t size = 65536, reset_vector = size - 16;
    std::string image(size, '\0');
    image.replace(reset_vector, 4, "\xfa\xf4\xeb\xfc");
    std::string path = Rfb::new_socket() + ".bios";
    std::ofstream(path, std::ios::binary) << image;
    return path;
}

/// A spice server shows nothing while the VM is stopped, as it is in the other tests.
TEST(Displays, Spice)
{
    const std::string socket = Rfb::new_socket() + ".spice";
    const std::string firmware = idle_firmware();
    auto options = local("none -spice unix=on,disable-ticketing=on,image-compression=off,addr=" + socket);
    options.devices += "-bios " + firmware;
    Screen screen(options);
    std::filesystem::remove(firmware);
    screen.machine.qmp({{"execute", "cont"}});
    const Picture first = screen.next();
    EXPECT_EQ(difference(first, spice_screenshot(socket)), "");
    const Picture next = screen.next();
    EXPECT_EQ(difference(next, spice_screenshot(socket)), "") << "the next frame, another client";
    const Picture flat = screen.next_2d();
    // QEMU's own, which spice takes at its next refresh.
    EXPECT_TRUE(eventually([&] { return difference(flat, spice_screenshot(socket)).empty(); }))
        << "a 2D resource";
    screen.blob_again();
    const Picture last = screen.next();
    EXPECT_EQ(difference(last, spice_screenshot(socket)), "") << "the blob again";
    expect_screendump(screen, last);
    expect_seen_by_the_cpu(screen);
}

/// Windows, with and without GL.
class Window : public testing::TestWithParam<const char *> {
  protected:
    void SetUp() override { ASSERT_TRUE(x_.running()) << "no Xvfb: is the package installed?"; }
    Xvfb x_;
};

TEST_P(Window, ShowsBlobsAnd2d)
{
    Screen screen(local(GetParam(), x_.environment()));
    EXPECT_TRUE(x_.shows(screen.next())) << "a blob";
    EXPECT_TRUE(x_.shows(screen.next())) << "the next frame";
    EXPECT_TRUE(x_.shows(screen.next_2d())) << "a 2D resource";
    screen.blob_again();
    const Picture last = screen.next();
    EXPECT_TRUE(x_.shows(last)) << "the blob again";
    expect_screendump(screen, last);
    std::cout << screen.machine.blob(id).dump() << "\n";
    EXPECT_EQ(screen.machine.blob(id)["view"], "mapped");
    EXPECT_STREQ(answer_name(screen.gpu.unref(id)), "OK");
    EXPECT_EQ(screen.machine.stats()["totals"]["extents"], 0);
}

INSTANTIATE_TEST_SUITE_P(Displays, Window,
                         testing::Values("gtk,gl=off", "gtk,gl=on", "sdl,gl=off", "sdl,gl=on"),
                         [](const auto &parameter) {
                             std::string name = parameter.param;
                             std::replace_if(
                                 name.begin(), name.end(), [](char c) { return !isalnum(c); }, '_');
                             return name;
                         });

TEST(Displays, GtkBesideVnc)
{
    const Xvfb x;
    ASSERT_TRUE(x.running());
    const std::string socket = Rfb::new_socket();
    Screen screen(local("gtk,gl=off" + Rfb::server_argument(socket), x.environment()));
    Viewer viewer(socket);
    for (int i = 0; i < 3; i++) {
        const Picture picture = screen.next();
        EXPECT_TRUE(viewer.shows(picture));
        EXPECT_TRUE(x.shows(picture));
    }
}

} // namespace
} // namespace vramlink::test
