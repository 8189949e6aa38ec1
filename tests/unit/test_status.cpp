// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table that `vramlink status` prints.

#include "tools/common/qmp.hpp"
#include "tools/vramlink/table.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace vramlink {
namespace {

constexpr const char *stats = R"({
  "totals": {"flips": 7, "superseded": 1, "flushes": 9, "exports": 2, "exports_failed": 0, "imports": 5, "imports_failed": 4, "commands": 40, "views": 1,
             "bytes_copied": 3145728, "revocations": 1, "command_errors": 3,
             "errors": {"invalid parameter": 2, "out of memory": 1},
             "live": 1, "tombstones": 1, "dmabuf_fds": 1, "lingering": 2, "lingered": 3, "extents": 2025,
             "charged": {"descriptors": 3, "mappings": 2027, "address_space": 8650752, "host_memory": 2048, "pinned": 0}},
  "warnings": ["references cannot be counted"], "blob_pages": 2,
  "blobs": [
    {"id": 4, "state": "backed", "size": 8294400, "plan": "shared", "view": "none", "ranges": 2025,
     "scanouts": [0, 2], "region": "0000:01:00.0 BAR 2", "reason": "2025 ranges in one dma-buf"},
    {"id": 12, "state": "revoked", "size": 100, "plan": "mapped", "view": "mapped", "ranges": 1, "scanouts": [],
     "region": "RAM pc.ram", "reason": "private", "revoked": "the memory left"}],
  "history": [{"id": 3, "state": "gone", "size": 4096}]})";

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

TEST(StatusTable, TellsEachBlob)
{
    const std::string table = as_table({.path = "/machine/peripheral/vram0", .stats = stats}, false);
    EXPECT_TRUE(table.starts_with("/machine/peripheral/vram0\n"));
    EXPECT_TRUE(has(table, "  1 live, 1 revoked; 1 dma-bufs open, 2 linger, 2025 ranges kept\n")) << table;
    EXPECT_TRUE(has(table, "2 exports (0 failed), 5 imports (4 failed)\n  1 views, 3.0 MiB copied")) << table;
    EXPECT_TRUE(has(table, "40 commands (3 refused: 2 invalid parameter, 1 out of memory)\n")) << table;
    EXPECT_TRUE(has(table,
                    "  4  backed  7.9 MiB shared none   2025   0,2      0000:01:00.0 BAR 2 2025 ranges in "
                    "one dma-buf\n"))
        << table;
    EXPECT_TRUE(
        has(table, "  12 revoked 100 B   mapped mapped 1      -        RAM pc.ram         the memory left\n"))
        << table;
    EXPECT_FALSE(has(table, "gone"));
}

TEST(StatusTable, TellsWarningsAndWhatTheDeviceIsChargedWith)
{
    const std::string table = as_table({.path = "d", .stats = stats}, false);
    EXPECT_TRUE(table.starts_with("d\n  warning: references cannot be counted\n")) << table;
    EXPECT_TRUE(has(table, "\n  charged: 3 descriptors, 2027 mappings, 8.2 MiB of address space, 2.0 KiB of "
                           "memory, 0 B pinned\n"))
        << table;
}

const Device of_two_pages{
    .path = "d",
    .stats = stats,
    .more_blobs = {R"({"page": 1, "blob_pages": 2, "blobs": [{"id": 4711}]})", "{", "[]", R"({"blobs": 3})"}};

TEST(StatusTable, HasTheBlobsOfAllPages)
{
    const std::string table = as_table(of_two_pages, false);
    EXPECT_TRUE(has(table, "\n  4711 -")) << table;
    EXPECT_LT(table.find("\n  12 "), table.find("\n  4711 ")) << table;
}

TEST(StatusJson, HasTheBlobsOfAllPages)
{
    EXPECT_TRUE(has(as_json({of_two_pages}), R"("id": 4711)"));
}

/// A QEMU that answers qom-get with what it was asked for, up to a page.
class FakeQemu {
  public:
    explicit FakeQemu(unsigned pages) : pages_(pages), thread_([this] { serve(); }) {}
    ~FakeQemu()
    {
        thread_.join();
        ::unlink(path_.c_str());
    }
    FakeQemu(const FakeQemu &) = delete;
    FakeQemu &operator=(const FakeQemu &) = delete;

    [[nodiscard]] const std::string &path() const { return path_; }

  private:
    UniqueFd listening() const
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(socket.get(), 1), 0);
        return socket;
    }
    [[nodiscard]] std::string answer(const std::string &line) const
    {
        const auto command = nlohmann::json::parse(line);
        nlohmann::json reply{{"return", nlohmann::json::object()}};
        if (command["execute"] == "qom-get")
            reply["return"] = command["arguments"]["property"];
        if (reply["return"] == "vramlink-blobs[" + std::to_string(pages_) + "]")
            reply = {{"error", {{"class", "GenericError"}, {"desc", "no such property"}}}};
        if (command.contains("id"))
            reply["id"] = command["id"];
        return reply.dump() + "\n";
    }
    void serve()
    {
        // cppcheck-suppress nullPointer ; accept4() takes null for "no address wanted"
        const UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        std::string said = R"({"QMP": {"version": {}, "capabilities": []}})"
                           "\n";
        std::string got;
        std::array<char, 4096> buffer{};
        for (ssize_t count = 1; count > 0; count = ::read(client.get(), buffer.data(), buffer.size())) {
            got += said.empty() ? std::string(buffer.data(), static_cast<size_t>(count)) : "";
            for (size_t end = got.find('\n'); end != std::string::npos; end = got.find('\n')) {
                said += answer(got.substr(0, end));
                got.erase(0, end + 1);
            }
            EXPECT_EQ(::write(client.get(), said.data(), said.size()), static_cast<ssize_t>(said.size()));
            said.clear();
        }
    }

    unsigned pages_;
    std::string path_ = testing::TempDir() + "vrl-qmp-" + std::to_string(::getpid());
    UniqueFd socket_ = listening();
    std::thread thread_;
};

TEST(MoreBlobs, AreAskedForPageByPage)
{
    const FakeQemu qemu(3);
    auto qmp = Qmp::connect(qemu.path(), std::chrono::seconds(60));
    ASSERT_TRUE(qmp.has_value());
    Device one{.path = "d", .stats = R"({"blob_pages": 1})"};
    EXPECT_TRUE(fetch_more_blobs(*qmp, one));
    EXPECT_TRUE(one.more_blobs.empty());
    Device older{.path = "d", .stats = "{}"};
    EXPECT_TRUE(fetch_more_blobs(*qmp, older)) << "a plugin that knows no pages";
    EXPECT_TRUE(older.more_blobs.empty());
    Device three{.path = "d", .stats = R"({"blob_pages": 3})"};
    EXPECT_TRUE(fetch_more_blobs(*qmp, three));
    EXPECT_EQ(three.more_blobs, (std::vector<std::string>{"vramlink-blobs[1]", "vramlink-blobs[2]"}));
    Device more{.path = "d", .stats = R"({"blob_pages": 9})"};
    const auto refused = fetch_more_blobs(*qmp, more);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(has(refused.error().text, "no such property"));
    EXPECT_EQ(more.more_blobs.size(), 2U) << "those before stay";
}

TEST(StatusTable, HistoryOnRequest)
{
    EXPECT_TRUE(has(as_table({.path = "d", .stats = stats}, true), "  3  gone  4.0 KiB"));
}

TEST(StatusTable, AnotherVersionsStatsAreShownAsFarAsTheyGo)
{
    for (const char *odd :
         {"", "[]", "3", "{", R"({"blobs": 5, "totals": [1]})", R"({"blobs": [3, null, {}]})",
          R"({"blobs": [{"id": {"x": 1}, "size": -4, "scanouts": "many"}]})"}) {
        const std::string table = as_table({.path = "d", .stats = odd}, true);
        EXPECT_TRUE(table.starts_with("d\n")) << odd;
    }
    EXPECT_TRUE(has(as_table({.path = "d", .stats = "{"}, false), "no JSON object"));
    EXPECT_TRUE(has(as_table({.path = "d", .stats = R"({"blobs": [{"id": 9}]})"}, false), "  9  -"));
}

TEST(StatusJson, HasADeviceForEachPath)
{
    const std::string json = as_json({{.path = "a", .stats = stats}, {.path = "b", .stats = "{"}});
    EXPECT_TRUE(has(json, R"("a": {)"));
    EXPECT_TRUE(has(json, R"("b": null)"));
}

} // namespace
} // namespace vramlink
