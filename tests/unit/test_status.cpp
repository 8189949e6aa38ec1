// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table that `vramlink status` prints.

#include "tools/vramlink/table.hpp"

#include <gtest/gtest.h>

namespace vramlink {
namespace {

constexpr const char *stats = R"({
  "totals": {"flips": 7, "superseded": 1, "flushes": 9, "exports": 2, "exports_failed": 0, "imports": 5, "imports_failed": 4, "commands": 40, "views": 1,
             "bytes_copied": 3145728, "revocations": 1, "command_errors": 3,
             "errors": {"invalid parameter": 2, "out of memory": 1},
             "live": 1, "tombstones": 1, "dmabuf_fds": 1, "extents": 2025},
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
    const std::string table = as_table({"/machine/peripheral/vram0", stats}, false);
    EXPECT_TRUE(table.starts_with("/machine/peripheral/vram0\n"));
    EXPECT_TRUE(has(table, "  1 live, 1 revoked; 1 dma-bufs open, 2025 ranges kept\n")) << table;
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

TEST(StatusTable, HistoryOnRequest)
{
    EXPECT_TRUE(has(as_table({"d", stats}, true), "  3  gone  4.0 KiB"));
}

TEST(StatusTable, AnotherVersionsStatsAreShownAsFarAsTheyGo)
{
    for (const char *odd :
         {"", "[]", "3", "{", R"({"blobs": 5, "totals": [1]})", R"({"blobs": [3, null, {}]})",
          R"({"blobs": [{"id": {"x": 1}, "size": -4, "scanouts": "many"}]})"}) {
        const std::string table = as_table({"d", odd}, true);
        EXPECT_TRUE(table.starts_with("d\n")) << odd;
    }
    EXPECT_TRUE(has(as_table({"d", "{"}, false), "no JSON object"));
    EXPECT_TRUE(has(as_table({"d", R"({"blobs": [{"id": 9}]})"}, false), "  9  -"));
}

TEST(StatusJson, HasADeviceForEachPath)
{
    const std::string json = as_json({{"a", stats}, {"b", "{"}});
    EXPECT_TRUE(has(json, R"("a": {)"));
    EXPECT_TRUE(has(json, R"("b": null)"));
}

} // namespace
} // namespace vramlink
