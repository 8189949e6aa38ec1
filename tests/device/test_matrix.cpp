// SPDX-License-Identifier: GPL-2.0-or-later
//
// Everything that may happen to the device is begun while everything else is under way: nobody waits in
// between. What is begun is a long batch of commands, a flush that a display holds, the loss of memory,
// resets, ejections, a stop, a save, a display that comes or goes. After each pair QEMU answers, what was
// ejected is gone, and a picture in a new blob is on the screen.

#include "tests/device/halting_bios.hpp"
#include "tests/device/rfb.hpp"
#include "tests/device/stopping.hpp"

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <linux/pci_regs.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr Rect whole{0, 0, Ground::width, Ground::height};
constexpr std::uint64_t bar_bytes = 16 << 20;

enum class Type { plain, gl };

/// A running machine and its guest, which may have lost the device, the GPU, or both.
class Rig {
  public:
    explicit Rig(Type type) : type_(type), machine_(options())
    {
        connect_display();
        settle();
    }
    ~Rig() { std::filesystem::remove(stream()); }
    Rig(const Rig &) = delete;
    Rig &operator=(const Rig &) = delete;

    [[nodiscard]] bool has_displays() const { return type_ == Type::plain; }

    // --- what may be begun; none waits for what comes of it

    void command()
    {
        constexpr std::uint32_t entries = 2000, commands = 8;
        std::vector<Entry> list(entries, Entry{near_page(0), page, 0});
        list.back().addr = Ground::nowhere; // which is found out last
        for (std::uint32_t i = 0; i < commands; i++)
            post(create_blob_bytes(id + 1, entries * page, entries, list));
    }
    void held_flush()
    {
        post(flush_bytes(id, whole));
        post(flush_bytes(id, whole));
    }
    void lose_memory()
    {
        if (vm_pci *near = vm_pci_open(machine_.raw(), Ground::near_slot))
            vm_pci_set_command(near, static_cast<std::uint16_t>(vm_pci_command(near) & ~PCI_COMMAND_MEMORY));
    }
    void reset_device() { vm_gpu_begin_reset(gpu_->raw()); }
    void eject_device() { eject("vram0", Machine::gpu_slot); }
    void eject_gpu() { eject(near_id(), Ground::near_slot); }
    void reset_machine() { begin({{"execute", "system_reset"}}); }
    void stop() { begin({{"execute", "stop"}}); }
    void save() { begin({{"execute", "migrate"}, {"arguments", {{"uri", "file:" + stream()}}}}); }
    void connect_display()
    {
        take_answers();
        if (has_displays())
            display_ = std::make_unique<StoppingDisplay>(machine_, STOP_NEVER);
    }
    void end_display() { display_.reset(); }

    /// Waits for all that was begun, looks, and puts everything back.
    void settle()
    {
        take_answers();
        wait_for_save();
        // A reset that was asked for has been done when the next command is answered.
        EXPECT_TRUE(machine_.qmp({{"execute", "query-status"}}).is_object());
        plug_again();
        machine_.qmp({{"execute", "cont"}});
        gpu_ = std::make_unique<Gpu>(machine_);
        power_up_near();
        show();
    }

  private:
    Machine::Options options()
    {
        const char *gl_display = std::getenv("VRAMLINK_GL_DISPLAY");
        const bool gl = type_ == Type::gl;
        return {.devices = near_arguments() + bios_.argument(),
                .gpu = gl ? "virtio-gpu-gl-vram-pci,id=vram0" : "virtio-gpu-vram-pci,id=vram0",
                .display = gl ? gl_display : "dbus,p2p=yes,gl=off" + Rfb::server_argument(Rfb::new_socket())};
    }
    /// With "master" it may be saved.
    [[nodiscard]] static std::string near_arguments()
    {
        return "-object memory-backend-memfd,share=on,id=near0-mem,size=" + std::to_string(bar_bytes) +
               " -device ivshmem-plain,id=near0,memdev=near0-mem,master=on,addr=" +
               std::to_string(Ground::near_slot) + " ";
    }
    [[nodiscard]] static std::string stream()
    {
        return std::filesystem::temp_directory_path() / ("vramlink-matrix-" + std::to_string(getpid()));
    }
    [[nodiscard]] std::string near_id() const { return "near" + std::to_string(generation_); }
    [[nodiscard]] static std::uint64_t near_page(std::uint32_t number)
    {
        return Ground::near_address + number * page;
    }

    void post(const Bytes &bytes) { (void)gpu_->send(bytes, 0, 0); }
    void begin(const Json &command)
    {
        vm_qmp_send(machine_.raw(), command.dump().c_str());
        begun_++;
    }
    void take_answers()
    {
        for (; begun_ > 0; begun_--)
            std::free(vm_qmp_receive(machine_.raw()));
    }
    void eject(const std::string &name, unsigned slot)
    {
        begin({{"execute", "device_del"}, {"arguments", {{"id", name}}}});
        vm_pci_eject(machine_.raw(), slot);
        ejected_.push_back(name);
    }

    void wait_for_save()
    {
        EXPECT_TRUE(eventually([&] {
            const std::string status = machine_.qmp({{"execute", "query-migrate"}}).value("status", "none");
            return status == "none" || status == "completed" || status == "failed" || status == "cancelled";
        })) << "the save does not end";
    }
    [[nodiscard]] bool is_there(const std::string &name)
    {
        const Json devices =
            machine_.qmp({{"execute", "qom-list"}, {"arguments", {{"path", "/machine/peripheral"}}}});
        return std::ranges::any_of(devices, [&](const Json &device) { return device["name"] == name; });
    }
    /// Devices of 3D cannot be ejected; what a save was under way for may have stayed, too.
    void plug_again()
    {
        for (const auto &name : ejected_) {
            const unsigned slot = name == "vram0" ? Machine::gpu_slot : Ground::near_slot;
            if (type_ == Type::gl && name == "vram0") {
                EXPECT_TRUE(is_there(name));
                continue;
            }
            if (is_there(name)) // QEMU refuses while it saves
                vm_pci_eject(machine_.raw(), slot);
            EXPECT_TRUE(eventually([&] { return !is_there(name); })) << name << " was ejected and is there";
        }
        if (!is_there("vram0"))
            add({{"driver", "virtio-gpu-vram-pci"},
                 {"id", "vram0"},
                 {"addr", std::to_string(Machine::gpu_slot)}});
        if (!is_there(near_id()))
            add_near();
        ejected_.clear();
    }
    void add(const Json &device) { machine_.qmp({{"execute", "device_add"}, {"arguments", device}}); }
    /// With another memory: QEMU's ivshmem that is unplugged without memory decoding keeps the old one
    /// registered.
    void add_near()
    {
        generation_++;
        machine_.qmp({{"execute", "object-add"},
                      {"arguments",
                       {{"qom-type", "memory-backend-memfd"},
                        {"id", near_id() + "-mem"},
                        {"share", true},
                        {"size", bar_bytes}}}});
        add({{"driver", "ivshmem-plain"},
             {"id", near_id()},
             {"memdev", near_id() + "-mem"},
             {"master", "on"},
             {"addr", std::to_string(Ground::near_slot)}});
    }
    void power_up_near()
    {
        vm_pci *near = vm_pci_open(machine_.raw(), Ground::near_slot);
        ASSERT_NE(near, nullptr);
        vm_pci_move_bar(near, 2, Ground::near_address);
        vm_pci_set_command(near, static_cast<std::uint16_t>(vm_pci_command(near) | PCI_COMMAND_MEMORY));
    }
    void show()
    {
        const Picture picture = paint(Ground::width, Ground::height, ++seed_);
        const auto entries = scattered(near_page(1), picture.pages(), seed_);
        put(machine_, entries, picture);
        ASSERT_STREQ(answer_name(gpu_->create_blob(id, picture.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(gpu_->set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
        ASSERT_STREQ(answer_name(gpu_->flush(id, whole)), "OK");
        EXPECT_EQ(difference(picture, screendump(machine_)), "");
    }

    Type type_;
    HaltingBios bios_;
    Machine machine_;
    std::unique_ptr<Gpu> gpu_;
    std::unique_ptr<StoppingDisplay> display_;
    std::vector<std::string> ejected_;
    unsigned begun_ = 0, generation_ = 0;
    std::uint32_t seed_ = 0;
};

struct Deed {
    const char *name;
    void (Rig::*begin)();
};

constexpr Deed deeds[] = {
    {"Command", &Rig::command},
    {"HeldFlush", &Rig::held_flush},
    {"LossOfMemory", &Rig::lose_memory},
    {"ResetOfTheDevice", &Rig::reset_device},
    {"EjectOfTheDevice", &Rig::eject_device},
    {"EjectOfTheGpu", &Rig::eject_gpu},
    {"SystemReset", &Rig::reset_machine},
    {"Stop", &Rig::stop},
    {"Save", &Rig::save},
    {"DisplayConnects", &Rig::connect_display},
    {"DisplayGoes", &Rig::end_display},
};

void PrintTo(const Deed &deed, std::ostream *out)
{
    *out << deed.name;
}

class Matrix : public testing::TestWithParam<std::tuple<Type, Deed>> {};

TEST_P(Matrix, ThenEverythingElse)
{
    const auto &[type, first] = GetParam();
    if (type == Type::gl && std::getenv("VRAMLINK_GL_DISPLAY") == nullptr)
        GTEST_SKIP() << "VRAMLINK_GL_DISPLAY names no display with GL";
    Rig rig(type);
    for (const Deed &second : deeds) {
        SCOPED_TRACE(std::string(first.name) + ", then " + second.name);
        std::printf("%s, then %s\n", first.name, second.name); // in case that QEMU ends
        (rig.*first.begin)();
        (rig.*second.begin)();
        ASSERT_NO_FATAL_FAILURE(rig.settle());
    }
}

INSTANTIATE_TEST_SUITE_P(All, Matrix,
                         testing::Combine(testing::Values(Type::plain, Type::gl), testing::ValuesIn(deeds)),
                         [](const auto &row) {
                             const bool gl = std::get<0>(row.param) == Type::gl;
                             return std::string(gl ? "Gl" : "") + std::get<1>(row.param).name;
                         });

} // namespace
} // namespace vramlink::test
