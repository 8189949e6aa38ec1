// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/core.h>

namespace vramlink::demo {

namespace {

constexpr std::chrono::milliseconds kRetry{50}; // a port reads as empty while nobody listens at the other end

std::unexpected<Error> fail_errno(const std::string &what)
{
    const int code = errno;
    return fail(code, fmt::format("{}: {}", what, std::strerror(code)));
}

} // namespace

Result<Channel> Channel::open_port(const std::string &name)
{
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator("/sys/class/virtio-ports", error)) {
        std::ifstream file(entry.path() / "name");
        std::string found;
        if (std::getline(file, found) && found == name)
            return open_path("/dev/" + entry.path().filename().string());
    }
    return fail(ENODEV, fmt::format("this machine has no virtio-serial port named '{}'", name));
}

Result<Channel> Channel::open_path(const std::string &path)
{
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (!fd)
        return fail_errno("cannot open " + path);
    return Channel(std::move(fd));
}

Result<void> Channel::report(const std::string &event, nlohmann::json details)
{
    details["event"] = event;
    const std::string line = details.dump() + '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd_.get(), rest.data(), rest.size());
        if (written < 0 && errno != EINTR)
            return fail_errno(fmt::format("cannot report '{}'", event));
        rest.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::string> Channel::read_line()
{
    for (;;) {
        if (const auto end = received_.find('\n'); end != std::string::npos) {
            std::string line = received_.substr(0, end);
            received_.erase(0, end + 1);
            return line;
        }
        std::array<char, 512> bytes{};
        const ssize_t count = ::read(fd_.get(), bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            return fail_errno("cannot read from the channel");
        if (count > 0)
            received_.append(bytes.data(), static_cast<std::size_t>(count));
        else
            std::this_thread::sleep_for(kRetry);
    }
}

Result<void> Channel::checkpoint(const std::string &label, unsigned frame)
{
    if (auto sent = report("checkpoint", {{"label", label}, {"frame", frame}}); !sent)
        return sent;
    const auto line = read_line();
    if (!line)
        return std::unexpected(line.error());
    const auto answer = nlohmann::json::parse(*line, nullptr, false);
    if (!answer.is_object() || !answer.contains("go") || answer["go"] != true)
        return fail(ECANCELED, fmt::format("checkpoint '{}' was answered with '{}'", label, *line));
    return {};
}

} // namespace vramlink::demo
