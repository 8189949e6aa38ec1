// SPDX-License-Identifier: GPL-2.0-or-later
//
// Bad input: the table of mistakes that a guest can make. bad_input.cpp has the tests of each.

#include "tests/device/bad_input.hpp"

namespace vramlink::test {

namespace {

using Row = Mistake;

constexpr std::uint32_t max_entries = 65536;
constexpr auto invalid_parameter = "ERR_INVALID_PARAMETER";
constexpr auto invalid_resource = "ERR_INVALID_RESOURCE_ID";
constexpr auto invalid_scanout = "ERR_INVALID_SCANOUT_ID";
constexpr auto unspecified = "ERR_UNSPEC";

Bytes cut(Bytes bytes, std::size_t size)
{
    bytes.resize(size);
    return bytes;
}

template <class T> Bytes raw(T command, std::uint32_t type)
{
    command.hdr.type = type;
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(&command);
    return {bytes, bytes + sizeof command};
}

Bytes create(const std::vector<Entry> &entries, std::uint64_t size = page, std::uint32_t id = free_id)
{
    return create_blob_bytes(id, size, static_cast<std::uint32_t>(entries.size()), entries);
}

/// The shown blob's own scanout with one thing wrong.
Bytes wrong_scanout(const Ground &g, const std::function<void(BlobScanout &)> &spoil)
{
    BlobScanout s = Ground::scanout_of(shown_id, g.picture);
    spoil(s);
    return set_scanout_blob_bytes(s);
}

/// A long scattered list whose last entry is bad.
std::vector<Entry> long_list_with_bad_end()
{
    auto entries = scattered(Ground::near_address, 4000, 3);
    entries.push_back({Ground::nowhere, page, 0});
    return entries;
}

const std::vector<Row> create_rows = {
    {"NoEntries", [](auto &) { return create({}); }, invalid_parameter, {"0 entries", "65536"}},
    {"TooManyEntriesSaid",
     [](auto &) { return create_blob_bytes(free_id, page, max_entries + 1, {}); },
     invalid_parameter,
     {"65537", "65536"}},
    {"TooManyEntriesCarried",
     [](auto &g) {
         return create(std::vector<Entry>(max_entries + 1, {g.far_page(0), page, 0}));
     },
     invalid_parameter,
     {"65537", "65536"}},
    {"EntriesOverflow32Bits",
     [](auto &) { return create_blob_bytes(free_id, page, 0xffffffff, {}); },
     invalid_parameter,
     {"4294967295", "65536"}},
    {"EmptyCommand", [](auto &) { return Bytes{}; }, invalid_parameter, {"0 bytes", "24"}},
    {"HalfAHeader", [](auto &) { return cut(create({}), 12); }, invalid_parameter, {"12 bytes", "24"}},
    {"HeaderOnly", [](auto &) { return cut(create({}), 24); }, invalid_parameter, {"24 bytes", "56"}},
    {"FixedPartCut", [](auto &) { return cut(create({}), 48); }, invalid_parameter, {"48 bytes", "56"}},
    {"EntriesMissing",
     [](auto &) { return create_blob_bytes(free_id, page, 4, {}); },
     invalid_parameter,
     {"4 entries", " 0 bytes"}},
    {"EntriesCut",
     [](auto &g) {
         const auto whole = create(std::vector<Entry>(4, {g.far_page(0), page, 0}), 4 * page);
         return cut(whole, whole.size() - 1);
     },
     invalid_parameter,
     {"4 entries", "64 bytes", "63 bytes"}},
    {"LengthZero",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}, {g.far_page(1), 0, 0}});
     },
     invalid_parameter,
     {"entry 1", "length 0"}},
    {"AddressWrapsAround",
     [](auto &) {
         return create({{~0ull - 4095, 2 * page, 0}});
     },
     invalid_parameter,
     {"0xfffffffffffff000", "0x2000", "wraps"}},
    {"AddressEndsAtZero",
     [](auto &) {
         return create({{~0ull - 4095, page, 0}});
     },
     invalid_parameter,
     {"0xfffffffffffff000", "wraps"}},
    {"Unmapped",
     [](auto &) {
         return create({{Ground::nowhere, page, 0}});
     },
     invalid_parameter,
     {"0x5000000000"}},
    {"UnmappedSecondEntry",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}, {Ground::nowhere, page, 0}}, 2 * page);
     },
     invalid_parameter,
     {"0x5000000000"}},
    {"UnmappedAfterALongList",
     [](auto &) { return create(long_list_with_bad_end(), 4001 * page); },
     invalid_parameter,
     {"0x5000000000"}},
    {"AcrossTheEndOfTheBar",
     [](auto &g) {
         return create({{g.near.address + g.near.size - page, 2 * page, 0}}, 2 * page);
     },
     invalid_parameter,
     {"0xd1000000"}},
    {"AcrossTheEndOfRam",
     [](auto &) {
         return create({{Machine::ram_size - page, 2 * page, 0}}, 2 * page);
     },
     invalid_parameter,
     {"0x4000000"}},
    {"EntriesCoverLess",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}, {g.far_page(1), page, 0}}, 2 * page + 1);
     },
     invalid_parameter,
     {"2 entries", "8192", "8193"}},
    {"HugeSize",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}}, ~0ull);
     },
     invalid_parameter,
     {"4096", "18446744073709551615"}},
    {"SizeZero",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}}, 0);
     },
     invalid_parameter,
     {"0"}},
    {"DeviceRegisters",
     [](auto &g) {
         return create({{g.registers.address, 64, 0}}, 64);
     },
     invalid_parameter,
     {"not memory"}},
    {"InterruptController",
     [](auto &) {
         return create({{0xfec00000, page, 0}});
     },
     invalid_parameter,
     {"0xfec00000", "not memory"}},
    {"IdZero",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}}, page, 0);
     },
     invalid_resource,
     {"0"}},
    {"IdInUseByABlob",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}}, page, shown_id);
     },
     invalid_resource,
     {"1"}},
    {"IdInUseByA2dResource",
     [](auto &g) {
         return create({{g.far_page(0), page, 0}}, page, plain_2d_id);
     },
     invalid_resource,
     {"2"}},
    {"HostMemory",
     [](auto &) { return create_blob_bytes(free_id, page, 0, {}, VIRTIO_GPU_BLOB_MEM_HOST3D); },
     invalid_parameter,
     {"blob_mem is 2"}},
};

const std::vector<Row> other_rows = {
    {"AttachUnknownId",
     [](auto &g) { return attach_bytes(free_id, 1, linear(g.far_page(0), page)); },
     invalid_resource,
     {"77"}},
    {"AttachShort",
     [](auto &) { return cut(attach_bytes(shown_id, 1, {}), 30); },
     invalid_parameter,
     {"30 bytes", "32"}},
    {"AttachTwice",
     [](auto &g) { return attach_bytes(shown_id, 1, linear(g.far_page(0), 4 * page)); },
     unspecified,
     {"1"}},
    {"DetachUnknownId",
     [](auto &) {
         return raw(virtio_gpu_resource_detach_backing{{}, free_id, 0},
                    VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING);
     },
     invalid_resource,
     {"77"}},
    {"UnrefUnknownId", [](auto &) { return unref_bytes(free_id); }, invalid_resource, {"77"}},
    // The first byte of the id is there, which is the id of another resource.
    {"UnrefCutInTheId",
     [](auto &) { return cut(unref_bytes(shown_id), 25); },
     invalid_parameter,
     {"25 bytes", "32"}},
    {"DetachCutInTheId",
     [](auto &) {
         return cut(
             raw(virtio_gpu_resource_detach_backing{{}, shown_id, 0}, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING),
             25);
     },
     invalid_parameter,
     {"25 bytes", "32"}},
    {"FlushUnknownId",
     [](auto &) {
         return flush_bytes(free_id, {0, 0, 64, 64});
     },
     invalid_resource,
     {"77"}},
    {"Create2dIdInUseByABlob",
     [](auto &) {
         return raw(virtio_gpu_resource_create_2d{{}, shown_id, xrgb8888, 64, 64},
                    VIRTIO_GPU_CMD_RESOURCE_CREATE_2D);
     },
     invalid_resource,
     {"1"}},
    {"SetScanout2dOfABlob",
     [](auto &) {
         return raw(virtio_gpu_set_scanout{{}, {0, 0, 64, 64}, 0, shown_id}, VIRTIO_GPU_CMD_SET_SCANOUT);
     },
     invalid_parameter,
     {"1"}},
};

const std::vector<Row> scanout_rows = {
    {"Short",
     [](auto &g) { return cut(set_scanout_blob_bytes(Ground::scanout_of(shown_id, g.picture)), 40); },
     invalid_parameter,
     {"40 bytes", "96"}},
    {"UnknownId",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.id = free_id; }); },
     invalid_resource,
     {"77"}},
    {"A2dResource",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.id = plain_2d_id; }); },
     invalid_resource,
     {"2"}},
    {"ScanoutOutOfRange",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.scanout = 2; }); },
     invalid_scanout,
     {"scanout 2", "2"}},
    {"ScanoutHuge",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.scanout = 0xffffffff; }); },
     invalid_scanout,
     {"4294967295", "2"}},
    {"UnknownFormat",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.format = 9999; }); },
     invalid_parameter,
     {"9999"}},
    {"FormatZero",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.format = 0; }); },
     invalid_parameter,
     {"format 0"}},
    {"EmptyRectangle",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.rect.width = 0; }); },
     invalid_parameter,
     {"0x64"}},
    {"RectangleRightOfTheFramebuffer",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.rect.x = 1; }); },
     invalid_parameter,
     {"64"}},
    {"RectangleBelowTheFramebuffer",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.rect.y = 33; }); },
     invalid_parameter,
     {"33", "64"}},
    {"RectangleWrapsAround",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.rect.x = 0xffffffe0; }); },
     invalid_parameter,
     {"4294967264", "64"}},
    {"FramebufferLargerThanTheBlob",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.height = s.rect.height = 65; }); },
     invalid_parameter,
     {"16640", "16384"}},
    {"StrideShorterThanARow",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.stride = 252; }); },
     invalid_parameter,
     {"252", "64 pixels of 4 bytes"}},
    {"StrideZero",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.stride = 0; }); },
     invalid_parameter,
     {"stride of 0", "64 pixels of 4 bytes"}},
    {"StridePastTheBlob",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.stride = 260; }); },
     invalid_parameter,
     {"16384"}},
    {"StrideHuge",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.stride = 0x7ffffffc; }); },
     invalid_parameter,
     {"2147483644", "262144"}},
    {"StrideNegative",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.stride = 0xfffffffc; }); },
     invalid_parameter,
     {"4294967292"}},
    {"StrideOdd",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.stride = 258; }); },
     invalid_parameter,
     {"258"}},
    {"OffsetPushesItPastTheBlob",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.offset = 4; }); },
     invalid_parameter,
     {"16384"}},
    {"OffsetHuge",
     [](auto &g) { return wrong_scanout(g, [](auto &s) { s.offset = 0xfffffffc; }); },
     invalid_parameter,
     {"16384"}},
};

std::string row_name(const testing::TestParamInfo<Row> &info)
{
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Create, BadInput, testing::ValuesIn(create_rows), row_name);
INSTANTIATE_TEST_SUITE_P(Create, BadInputOnGl, testing::ValuesIn(create_rows), row_name);
INSTANTIATE_TEST_SUITE_P(Other, BadInputOnGl, testing::ValuesIn(other_rows), row_name);
INSTANTIATE_TEST_SUITE_P(Scanout, BadInputOnGl, testing::ValuesIn(scanout_rows), row_name);
INSTANTIATE_TEST_SUITE_P(Other, BadInput, testing::ValuesIn(other_rows), row_name);
INSTANTIATE_TEST_SUITE_P(Scanout, BadInput, testing::ValuesIn(scanout_rows), row_name);

} // namespace

} // namespace vramlink::test
