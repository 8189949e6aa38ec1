// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/stats.hpp"

#include "hw/prime/fourcc.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace vramlink {
namespace {

nlohmann::json describe(const ImportRecord &record)
{
    const FrameLayout &layout = record.layout;
    return {{"identity", record.inode},
            {"width", layout.width},
            {"height", layout.height},
            {"stride", layout.stride},
            {"fourcc", fourcc_text(layout.fourcc)},
            {"modifier", layout.modifier},
            {"size", record.size},
            {"import_us", record.import_us},
            {"addfb_us", record.addfb_us},
            {"error", record.error.empty() ? nlohmann::json() : nlohmann::json(record.error)},
            {"live", record.live}};
}

const char *name_of(Presenter::Showing showing)
{
    switch (showing) {
    case Presenter::Showing::dmabuf:
        return "dmabuf";
    case Presenter::Showing::pixels:
        return "pixels";
    case Presenter::Showing::neutral:
        break;
    }
    return "neutral";
}

} // namespace

uint64_t count_dmabuf_fds()
{
    uint64_t count = 0;
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone).string().starts_with("/dmabuf:"))
            ++count;
    }
    return count;
}

nlohmann::json collect_stats(const Presenter &presenter)
{
    const Presenter::Counters &counters = presenter.counters();
    const ImportCache &importer = presenter.screen().importer();
    nlohmann::json imports = nlohmann::json::array();
    for (const auto &record : importer.records())
        imports.push_back(describe(*record));
    nlohmann::json stats{{"frames_flipped", counters.frames_flipped},
                         {"flips_failed", counters.flips_failed},
                         {"updates", counters.updates},
                         {"bytes_copied", counters.bytes_copied},
                         {"stills", counters.stills},
                         {"revocations", counters.revocations},
                         {"prime_imports", importer.imports()},
                         {"imports_failed", importer.imports_failed()},
                         {"dmabuf_fds_open", count_dmabuf_fds()},
                         {"connected", presenter.is_connected()},
                         {"times_connected", presenter.times_connected()},
                         {"showing", name_of(presenter.showing())},
                         {"imports", std::move(imports)}};
    presenter.screen().add_stats(stats);
    return stats;
}

Result<void> write_atomically(const std::string &path, const std::string &text)
{
    const std::string temporary = path + ".new";
    const auto failed = [&](int code) {
        (void)std::remove(temporary.c_str());
        return fail(code, fmt::format("cannot write {}: {}", path, std::strerror(code)));
    };
    UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)); // NOLINT: POSIX
    if (!fd)
        return failed(errno);
    size_t written = 0;
    while (written < text.size()) {
        const ssize_t n = write(fd.get(), text.data() + written, text.size() - written);
        if (n < 0 && errno != EINTR)
            return failed(errno);
        written += n > 0 ? static_cast<size_t>(n) : 0;
    }
    fd.reset();
    if (std::rename(temporary.c_str(), path.c_str()) < 0)
        return failed(errno);
    return {};
}

} // namespace vramlink
