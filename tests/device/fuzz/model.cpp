// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/fuzz/model.hpp"

#include <cstddef>
#include <cstring>
#include <sstream>

namespace vramlink::test {

namespace {

std::uint32_t word_at(const Bytes &bytes, std::size_t at)
{
    std::uint32_t word = 0;
    if (bytes.size() >= at + sizeof word)
        std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
}

struct Sums {
    std::uint64_t ranges = 0, dmabufs = 0, tombstones = 0;
};

/// What each blob says of itself, added up; complaints go to @p wrong.
Sums add_up(const Json &blobs, bool near_there, std::ostringstream &wrong)
{
    Sums sums;
    for (const auto &blob : blobs) {
        const bool backed = blob["state"] == "backed";
        sums.tombstones += blob["state"] == "revoked" ? 1 : 0;
        if (!backed)
            continue;
        sums.ranges += blob["ranges"].get<std::uint64_t>();
        if (blob["plan"] == "shared")
            sums.dmabufs += blob["dmabufs"].size();
        if (!near_there && blob["region"].get<std::string>().find("near") != std::string::npos)
            wrong << "blob " << blob["id"] << " lies in memory that is gone; ";
    }
    return sums;
}

void expect(std::ostringstream &wrong, const char *what, const Json &said, std::uint64_t counted)
{
    if (said != counted)
        wrong << what << " is " << said << ", counted " << counted << "; ";
}

} // namespace

void Model::answered(const Bytes &command, std::uint32_t type)
{
    const std::uint32_t id = word_at(command, sizeof(virtio_gpu_ctrl_hdr));
    if (type != VIRTIO_GPU_RESP_OK_NODATA)
        return;
    if (word_at(command, 0) == VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB)
        blobs_.insert(id);
    else if (word_at(command, 0) == VIRTIO_GPU_CMD_RESOURCE_UNREF)
        blobs_.erase(id); // a 2D resource's id is not in the set
}

bool Model::legal(std::uint32_t type)
{
    return (type >= VIRTIO_GPU_RESP_OK_NODATA && type <= VIRTIO_GPU_RESP_OK_MAP_INFO) ||
           (type >= VIRTIO_GPU_RESP_ERR_UNSPEC && type <= VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

std::string Model::disagreement(const Json &stats, bool near_there) const
{
    std::ostringstream wrong;
    const Json &totals = stats["totals"];
    std::set<std::uint32_t> seen;
    for (const auto &blob : stats["blobs"])
        seen.insert(blob["id"].get<std::uint32_t>());
    for (const std::uint32_t id : blobs_)
        if (!seen.contains(id))
            wrong << "blob " << id << " was made and is not there; ";
    for (const std::uint32_t id : seen)
        if (!blobs_.contains(id))
            wrong << "blob " << id << " is there and should not be; ";
    const Sums sums = add_up(stats["blobs"], near_there, wrong);
    expect(wrong, "tombstones", totals["tombstones"], sums.tombstones);
    expect(wrong, "live", totals["live"], seen.size() - sums.tombstones);
    expect(wrong, "extents", totals["extents"], sums.ranges);
    expect(wrong, "dmabuf_fds", totals["dmabuf_fds"], sums.dmabufs);
    std::uint64_t errors = 0;
    for (const auto &count : totals["errors"])
        errors += count.get<std::uint64_t>();
    expect(wrong, "command_errors", totals["command_errors"], errors);
    return wrong.str();
}

} // namespace vramlink::test
