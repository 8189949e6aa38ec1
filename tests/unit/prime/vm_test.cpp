// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is known of a VM: QEMU's objects, the list of outputs and their plans, a libvirt domain's address.

#include "tools/viewer/advice.hpp"
#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/libvirt_domain.hpp"
#include "tools/viewer/list.hpp"
#include "tools/viewer/overlay_text.hpp"
#include "tools/viewer/vm_info.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vramlink::test {
namespace {

Result<VmInfo> decode(const char *objects)
{
    const GVariantPtr value(g_variant_ref_sink(g_variant_new_parsed(objects)));
    return decode_vm(value.get());
}

VmInfo two_heads()
{
    return {"desk",
            "1234",
            {{0, "text", false, 0, 720, 400, ""},
             {1, "gpu", true, 0, 1920, 1080, "pci/0000/02.0"},
             {2, "gpu", true, 1, 1280, 720, "pci/0000/02.0"}}};
}

TEST(VmInfo, IsReadFromQemusObjects)
{
    const auto vm = decode(
        "(@a{oa{sa{sv}}} {"
        "'/org/qemu/Display1/Console_10': {'org.qemu.Display1.Console': {'Label': <'b'>, 'Type': <'Text'>}},"
        "'/org/qemu/Display1/Console_2': {'org.qemu.Display1.Console': {'Label': <'a'>, 'Type': <'Graphic'>, "
        "'Head': <uint32 1>, 'Width': <uint32 800>, 'Height': <uint32 600>, 'DeviceAddress': "
        "<'pci/0000/02.0'>}},"
        "'/org/qemu/Display1/VM': {'org.qemu.Display1.VM': {'Name': <'n'>, 'UUID': <'u'>}}},)");
    ASSERT_TRUE(vm) << vm.error().text;
    const VmInfo wanted{
        "n", "u", {{2, "a", true, 1, 800, 600, "pci/0000/02.0"}, {10, "b", false, 0, 0, 0, ""}}};
    EXPECT_EQ(*vm, wanted) << "in the order of their numbers";
}

TEST(VmInfo, OddObjectsAreLeftOut)
{
    const auto vm =
        decode("(@a{oa{sa{sv}}} {"
               "'/org/qemu/Display1/Console_': {'org.qemu.Display1.Console': {'Label': <'a'>}},"
               "'/org/qemu/Display1/Console_1x': {'org.qemu.Display1.Console': {'Label': <'a'>}},"
               "'/org/qemu/Display1/Console_99999999999': {'org.qemu.Display1.Console': {'Label': <'a'>}},"
               "'/org/qemu/Display1/Console_3': {'org.qemu.Display1.Mouse': {'IsAbsolute': <true>}},"
               "'/org/qemu/Display1/Console_4': {'org.qemu.Display1.Console': {'Label': <uint32 5>, 'Width': "
               "<'x'>}},"
               "'/org/qemu/Display1/VM': {'org.qemu.Display1.VM': @a{sv} {}}},)");
    ASSERT_TRUE(vm) << vm.error().text;
    const VmInfo wanted{"", "", {{4, "", false, 0, 0, 0, ""}}};
    EXPECT_EQ(*vm, wanted);
    EXPECT_EQ(decode("(@a{oa{sa{sv}}} {},)").error().code, EPROTO);
}

TEST(List, SaysThePlanOfWhatIsOnAnOutput)
{
    const std::string stats =
        R"({"blobs": [{"id": 7, "plan": "mapped", "reason": "no exporter", "scanouts": [1]},
                                            {"id": 8, "plan": "shared", "reason": "", "scanouts": []}]})";
    const auto listed = describe_outputs(two_heads(), {{"/machine/peripheral/other", stats, "03.0"},
                                                       {"/machine/peripheral/vram0", stats, "02.0"}});
    EXPECT_TRUE(listed["outputs"][0]["plan"].is_null()) << "a text console";
    EXPECT_TRUE(listed["outputs"][1]["plan"].is_null()) << "shows no blob";
    EXPECT_EQ(listed["outputs"][2]["plan"], "mapped");
    EXPECT_EQ(listed["outputs"][2]["reason"], "no exporter");
    const std::string table = table_of_outputs(listed);
    EXPECT_NE(table.find("1280x720"), std::string::npos) << table;
    EXPECT_NE(table.find("no exporter"), std::string::npos) << table;
    EXPECT_TRUE(describe_outputs(two_heads(), {})["outputs"][2]["plan"].is_null());
    EXPECT_TRUE(describe_outputs(two_heads(), {{"x", "no JSON", "02.0"}})["outputs"][2]["plan"].is_null());
}

TEST(Overlay, SaysWhatTheJsonSays)
{
    const nlohmann::json stats{
        {"showing", "pixels"},
        {"connected", true},
        {"frames_flipped", 1234},
        {"bytes_copied", 4096},
        {"imports_failed", 7},
        {"latency",
         {{"frames", 3},
          {"median_us", 8123},
          {"p95_us", 16000},
          {"max_us", 30000},
          {"histogram", {{{"below_us", 4000}, {"frames", 1}}, {{"below_us", nullptr}, {"frames", 2}}}}}},
        {"note", "EIO: the compositor does not import this dma-buf of 4096 bytes, and this is a long "
                 "sentence about it"},
        {"fix", "do something"}};
    const auto lines = overlay_lines(stats);
    std::string all;
    for (const auto &line : lines) {
        EXPECT_LE(line.size(), overlay_columns) << line;
        all += line + "\n";
    }
    for (const char *wanted :
         {"showing pixels\n", "frames 1234", "refused 7", "copied 4 KiB", "median 8.1 ms",
          "<4 ms     1 ####################\n", "more     2 ########################################\n",
          "not shared: EIO", "\n  4096 bytes, and this is a long", "to fix it: do something\n"})
        EXPECT_NE(all.find(wanted), std::string::npos) << wanted << " in\n" << all;
    EXPECT_EQ(overlay_lines(nlohmann::json::object()).front(), "showing , not connected");
}

TEST(Overlay, AWordThatIsTooLongIsCut)
{
    const auto lines = overlay_lines({{"note", std::string(200, 'x')}});
    EXPECT_GE(lines.size(), 8U);
    for (const auto &line : lines)
        EXPECT_LE(line.size(), overlay_columns);
}

TEST(Advice, FitsTheReason)
{
    EXPECT_NE(
        advice_for("EOPNOTSUPP: the compositor has no zwp_linux_dmabuf_v1, it takes no dma-bufs").find("GPU"),
        std::string::npos);
    EXPECT_NE(advice_for("EIO: x; the dma-buf cannot be mapped either: Invalid argument").find("--qmp"),
              std::string::npos);
    EXPECT_NE(advice_for("EOPNOTSUPP: /dev/dri/card0 does not import this dma-buf of 1 bytes").find("amdgpu"),
              std::string::npos);
    EXPECT_NE(advice_for("EIO: the compositor does not import this dma-buf").find("--direct-display"),
              std::string::npos);
    EXPECT_NE(advice_for("EOPNOTSUPP: the compositor draws with the CPU, which").find("virgl"),
              std::string::npos);
    EXPECT_EQ(advice_for(""), "");
    EXPECT_EQ(advice_for("something new"), "");
}

TEST(Libvirt, TheAddressIsInTheDomainsXml)
{
    const auto in = [](const std::string &devices) {
        return dbus_address_in("<domain type='kvm'><name>a</name><devices>" + devices +
                               "</devices></domain>");
    };
    EXPECT_EQ(*in("<graphics type='vnc' port='1'/><graphics type='dbus' address='unix:path=/run/a&amp;b'/>"),
              "unix:path=/run/a&b");
    EXPECT_EQ(in("<graphics type='vnc' address='unix:path=/x'/>").error().code, ENOENT);
    EXPECT_EQ(in("<graphics type='dbus' p2p='yes'/>").error().code, EOPNOTSUPP);
    EXPECT_EQ(in("<graphics type='dbus' p2p='no'/>").error().code, ENOENT) << "not running";
    EXPECT_EQ(dbus_address_in("<domain><metadata><graphics type='dbus' address='x'/></metadata></domain>")
                  .error()
                  .code,
              ENOENT)
        << "not a device";
    EXPECT_EQ(dbus_address_in("error: no domain").error().code, EINVAL);
    EXPECT_EQ(dbus_address_in("").error().code, EINVAL);
}

/// A virsh that tells its arguments where libvirt's would tell the address.
class Virsh : public ::testing::Test {
  protected:
    void SetUp() override
    {
        std::filesystem::create_directory(directory);
        old_path = std::getenv("PATH");
        setenv("PATH", (directory + ":" + old_path).c_str(), 1);
    }
    void TearDown() override
    {
        setenv("PATH", old_path.c_str(), 1);
        std::filesystem::remove_all(directory);
    }
    void says(const std::string &script) const
    {
        const std::string path = directory + "/virsh";
        std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    }
    const std::string directory = fmt::format("/tmp/vramlink-virsh-{}", getpid());
    std::string old_path;
};

TEST_F(Virsh, IsAskedForTheDomain)
{
    says(R"(printf '<domain><devices><graphics type="dbus" address="%s"/></devices></domain>' "$*")");
    EXPECT_EQ(*dbus_address_of_domain("-my vm", "qemu:///session"),
              "--connect qemu:///session dumpxml -- -my vm");
    EXPECT_EQ(*dbus_address_of_domain("desk", ""), "dumpxml -- desk");
}

TEST_F(Virsh, ItsComplaintIsPassedOn)
{
    says("echo 'error: failed to get domain' >&2; exit 1");
    const auto asked = dbus_address_of_domain("desk", "");
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code, EIO);
    EXPECT_EQ(asked.error().text, "virsh dumpxml desk: error: failed to get domain");
}

} // namespace
} // namespace vramlink::test
