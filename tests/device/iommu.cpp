// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/iommu.hpp"

#include <gtest/gtest.h>

#include <linux/virtio_iommu.h>

namespace vramlink::test {

namespace {

constexpr std::uint32_t domain = 1;

} // namespace

std::string Iommu::device()
{
    return "-device virtio-iommu-pci,addr=" + std::to_string(slot) + " ";
}

Iommu::Iommu(Machine &machine) : device_(vm_gpu_open(machine.raw(), slot)) {}

/// The device reads the request without its tail and writes the tail.
template <class Request> int Iommu::send(const Request &request)
{
    virtio_iommu_req_tail tail{};
    const int written = vm_gpu_command(device_, &request, sizeof request - sizeof tail, 0, &tail, sizeof tail,
                                       patience(10000));
    return written == sizeof tail ? tail.status : -1;
}

void Iommu::attach(unsigned device_slot)
{
    virtio_iommu_req_attach request{};
    request.head.type = VIRTIO_IOMMU_T_ATTACH;
    request.domain = domain;
    request.endpoint = device_slot << 3;
    EXPECT_EQ(send(request), VIRTIO_IOMMU_S_OK);
}

void Iommu::map(std::uint64_t first, std::uint64_t size, std::uint64_t physical)
{
    virtio_iommu_req_map request{};
    request.head.type = VIRTIO_IOMMU_T_MAP;
    request.domain = domain;
    request.virt_start = first;
    request.virt_end = first + size - 1;
    request.phys_start = physical;
    request.flags = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
    EXPECT_EQ(send(request), VIRTIO_IOMMU_S_OK);
}

void Iommu::unmap(std::uint64_t first, std::uint64_t size)
{
    virtio_iommu_req_unmap request{};
    request.head.type = VIRTIO_IOMMU_T_UNMAP;
    request.domain = domain;
    request.virt_start = first;
    request.virt_end = first + size - 1;
    EXPECT_EQ(send(request), VIRTIO_IOMMU_S_OK);
}

void Iommu::restart()
{
    vm_gpu_restart(device_);
}

} // namespace vramlink::test
