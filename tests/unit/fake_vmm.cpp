// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/fake_vmm.hpp"

#include "hw/export/vfio_abi.hpp"

#include <drm.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <system_error>

namespace vramlink::test {
namespace {

void must(bool held, const char *what)
{
    if (!held)
        throw std::system_error(errno, std::generic_category(), what);
}

size_t argument_bytes(unsigned long request, const void *argument)
{
    if (request == VFIO_DEVICE_FEATURE)
        return static_cast<const vfio_abi::DmaBufRequest *>(argument)->argsz;
    return sizeof(udmabuf_create_list) +
           static_cast<const udmabuf_create_list *>(argument)->count * sizeof(udmabuf_create_item);
}

} // namespace

uint64_t inode_of(int fd)
{
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) >= 0;
}

std::byte pattern(uint64_t id, uint64_t offset)
{
    const uint64_t mixed = (offset + id * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
    return static_cast<std::byte>(mixed >> 56);
}

FakeRegion::FakeRegion(uint64_t id, vrl_region_kind kind, uint64_t size, const std::string &name)
    : name_(name), fd_(::memfd_create("vrl-region", MFD_CLOEXEC))
{
    // A BAR does not start at byte 0 of the device's fd.
    const uint64_t map_offset = kind == VRL_REGION_VFIO_BAR ? 16 * page : 0;
    must(fd_.valid() && ::ftruncate(fd_.get(), static_cast<off_t>(map_offset + size)) == 0, "memfd");
    void *mapped =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), static_cast<off_t>(map_offset));
    must(mapped != MAP_FAILED, "mmap");
    host_ = static_cast<std::byte *>(mapped);
    for (uint64_t i = 0; i < size; ++i)
        host_[i] = pattern(id, i);
    raw = {id, kind, fd_.get(), 2, size, map_offset, host_, name_.c_str()};
    if (kind == VRL_REGION_VFIO_BAR)
        raw.host = nullptr;
    if (kind == VRL_REGION_PRIVATE_RAM)
        raw.fd = -1;
}

FakeRegion::~FakeRegion()
{
    ::munmap(host_, raw.size);
}

void FakeRegion::protect(int protection)
{
    must(::mprotect(host_, raw.size, protection) == 0, "mprotect");
}

FakeRegion &FakeVmm::add_region(vrl_region_kind kind, uint64_t size, const std::string &name)
{
    regions_.push_back(std::make_unique<FakeRegion>(regions_.size() + 1, kind, size, name));
    return *regions_.back();
}

void FakeVmm::map(uint64_t gpa, const FakeRegion &region, uint64_t offset, uint64_t length)
{
    windows_.push_back({gpa, length, &region, offset});
}

void FakeVmm::unmap(const FakeRegion &region)
{
    std::erase_if(windows_, [&](const Window &window) { return window.region == &region; });
}

void FakeVmm::map_device(uint64_t gpa, uint64_t length)
{
    windows_.push_back({gpa, length, nullptr, 0});
}

std::optional<FakeVmm::Place> FakeVmm::find(uint64_t gpa) const
{
    for (const Window &window : windows_)
        if (gpa >= window.gpa && gpa - window.gpa < window.length)
            return Place{window.region, window.offset + (gpa - window.gpa), gpa - window.gpa,
                         window.length - (gpa - window.gpa)};
    return std::nullopt;
}

vrl_translate_result FakeVmm::translate(uint64_t gpa, uint64_t length, vrl_piece &piece)
{
    ++translations;
    const auto place = find(gpa);
    if (!place)
        return VRL_TRANSLATE_UNMAPPED;
    if (place->region == nullptr)
        return VRL_TRANSLATE_NOT_RAM;
    piece = {&place->region->raw, place->offset, 0, 0, iommu};
    if (iommu || longest_piece < place->left) {
        piece.length = std::min({length, place->left, longest_piece});
    } else {
        piece.length = place->left;
        piece.before = place->before;
    }
    return VRL_TRANSLATE_OK;
}

vrl_ops FakeVmm::ops()
{
    return {
        [](void *self, uint64_t gpa, uint64_t length, vrl_piece *piece) {
            return static_cast<FakeVmm *>(self)->translate(gpa, length, *piece);
        },
        [](void *self, uint32_t id, bool revoked) {
            auto *vmm = static_cast<FakeVmm *>(self);
            vmm->releases.push_back({id, revoked});
            if (vmm->on_release)
                vmm->on_release(id);
            return !vmm->lets_go_later;
        },
        [](void *self, const vrl_holders *holders) {
            auto *vmm = static_cast<FakeVmm *>(self);
            ++vmm->cut_offs;
            vmm->held.assign(holders->inodes, holders->inodes + holders->nr_inodes);
            vmm->asked.push_back(*holders);
            if (vmm->on_cut_off)
                vmm->on_cut_off(*holders);
            return vmm->hanging;
        },
        [](void *self, uint32_t id) { return static_cast<FakeVmm *>(self)->scanouts[id]; },
        [](void *self, const vrl_note *note) {
            auto *vmm = static_cast<FakeVmm *>(self);
            if (vmm->keep_notes)
                vmm->notes.push_back({*note, note->text});
        },
        [](void *self, vrl_log_level level, const char *text) {
            try {
                static_cast<FakeVmm *>(self)->log.push_back({level, text});
            } catch (const std::bad_alloc &) {
                return; // a test that lets memory run out does not read the log
            }
        },
    };
}

bool FakeVmm::logged(const std::string &part) const
{
    return std::any_of(log.begin(), log.end(),
                       [&](const Sentence &s) { return s.text.find(part) != std::string::npos; });
}

int FakeCalls::ioctl(int fd, unsigned long request, void *argument)
{
    if (request == DRM_IOCTL_PRIME_FD_TO_HANDLE) {
        ++prime_imports;
        gem_handles += prime_errno == 0 ? 1 : 0;
        return -prime_errno;
    }
    if (request == DRM_IOCTL_GEM_CLOSE)
        return --gem_handles, 0;
    if (request == DMA_BUF_SET_NAME) {
        names.emplace_back(static_cast<const char *>(argument));
        return 0;
    }
    if (const auto *feature = static_cast<const vfio_device_feature *>(argument);
        request == VFIO_DEVICE_FEATURE &&
        (feature->flags & VFIO_DEVICE_FEATURE_MASK) >= vfio_abi::feature_event)
        return tell(fd, argument);
    ++ioctls;
    last_fd = fd;
    last_request = request;
    const auto *bytes = static_cast<const std::byte *>(argument);
    last_argument.assign(bytes, bytes + argument_bytes(request, argument));
    return ioctl_errno != 0 ? -ioctl_errno : ::memfd_create("vrl-dmabuf", MFD_CLOEXEC);
}

int FakeCalls::tell(int device, void *argument)
{
    if (!tells)
        return -ENOTTY;
    auto *request = static_cast<vfio_abi::StateRequest *>(argument);
    if (request->feature == (VFIO_DEVICE_FEATURE_SET | vfio_abi::feature_event)) {
        const auto *event = static_cast<const vfio_abi::EventRequest *>(argument);
        listeners[device] = event->eventfd;
        return event->argsz == sizeof *event && event->reserved == 0 ? 0 : -EINVAL;
    }
    const auto known = states.find(request->dmabuf);
    if (request->feature != (VFIO_DEVICE_FEATURE_GET | vfio_abi::feature_state) ||
        request->argsz != sizeof *request || (known != states.end() && known->second.device != device))
        return -EINVAL;
    request->state = known == states.end() || known->second.live ? 0 : 1;
    request->generation = known == states.end() ? 0 : known->second.generation;
    return 0;
}

int FakeCalls::open(const char *)
{
    return open_errno != 0 ? -open_errno : ::memfd_create("vrl-device", MFD_CLOEXEC);
}

std::optional<unsigned long> FakeCalls::references(int fd) noexcept
{
    if (!counts)
        return std::nullopt;
    const auto found = holders.find(fd);
    return 1 + (found != holders.end() ? found->second : 0);
}

Bench::Bench(const vrl_limits &limits, uint64_t max_maps, uint64_t max_dmabufs)
    : process({.descriptors{max_dmabufs, "a test's descriptors"}, .mappings{max_maps, "a test's mappings"}}),
      table_(new_table(vmm.ops(), &vmm, &limits, Host{calls, process, clock}))
{
}

void Bench::map_bars(uint64_t count, uint64_t size)
{
    for (uint64_t i = 1; i <= count; ++i)
        vmm.map(gpa_of(i), vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar " + std::to_string(i)), 0, size);
}

vrl_status Bench::create(uint32_t id, uint64_t size, const std::vector<vrl_entry> &entries)
{
    return vrl_table_create(get(), id, size, entries.data(), static_cast<uint32_t>(entries.size()));
}

vrl_status Bench::attach(uint32_t id, const std::vector<vrl_entry> &entries)
{
    return vrl_table_attach(get(), id, entries.data(), static_cast<uint32_t>(entries.size()));
}

vrl_framebuffer Bench::framebuffer(uint64_t start, uint32_t width, uint32_t height)
{
    return {.width = width,
            .height = height,
            .bytes_pp = 4,
            .stride = width * 4,
            .start = start,
            .layout = vrl_layout_packed(0),
            .more = {}};
}

const std::byte *Bench::view(uint32_t id, uint64_t start, uint32_t width, uint32_t height)
{
    const vrl_framebuffer fb = framebuffer(start, width, height);
    const void *view = vrl_table_view(get(), id, &fb);
    if (view != nullptr && vrl_table_view_is_copy(get(), id, &fb))
        vrl_table_flush(get(), id, &fb, 0, 0, width, height);
    return static_cast<const std::byte *>(view);
}

int Bench::dmabuf(uint32_t id, uint64_t start)
{
    const vrl_framebuffer fb = framebuffer(start, 1, 1);
    int fd = -1;
    return vrl_table_dmabuf(get(), id, &fb, &fd) ? fd : -1;
}

std::string Bench::stats() const
{
    const std::unique_ptr<char, decltype(&std::free)> text(vrl_table_stats_json(get()), &std::free);
    return text.get();
}

size_t open_fds()
{
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(all), end(all)));
}

size_t mappings_of(const std::string &part)
{
    std::ifstream maps("/proc/self/maps");
    size_t found = 0;
    for (std::string line; std::getline(maps, line);)
        found += line.find(part) != std::string::npos ? 1 : 0;
    return found;
}

} // namespace vramlink::test
