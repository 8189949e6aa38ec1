// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/list.hpp"

#include "tools/viewer/join.hpp"
#include "tools/viewer/log.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace vramlink {
namespace {

using nlohmann::json;

/// The stats of the device at @p address ("pci/0000/02.0"); null when it is none of vramlink's.
const json *stats_at(const std::vector<std::pair<std::string, json>> &devices, const std::string &address)
{
    const auto slot = address.substr(address.rfind('/') + 1);
    for (const auto &[at, stats] : devices) {
        if (!slot.empty() && at == slot)
            return &stats;
    }
    return nullptr;
}

/// The blob that the scanout @p head shows; null: none.
json blob_on(const json *stats, uint32_t head)
{
    if (!stats || !stats->contains("blobs"))
        return {};
    for (const auto &blob : stats->at("blobs")) {
        const auto scanouts = blob.value("scanouts", json::array());
        if (std::ranges::find(scanouts, json(head)) != scanouts.end())
            return blob;
    }
    return {};
}

json text_or_null(const json &blob, const char *key)
{
    const auto text = blob.is_object() ? blob.value(key, "") : "";
    return text.empty() ? json() : json(text);
}

/// Asks until QEMU is there or the time is over.
class Lister {
  public:
    explicit Lister(const Options &options)
        : options_(options), retry_([this] { connect(); }),
          give_up_at_(g_get_monotonic_time() + static_cast<int64_t>(options.connect_timeout * G_USEC_PER_SEC))
    {
        connection_.on_ready = [this] { g_main_loop_quit(loop_); };
        connection_.on_lost = [this](const std::string &reason) { lost(reason); };
    }
    Lister(const Lister &) = delete;
    Lister &operator=(const Lister &) = delete;
    ~Lister() { g_main_loop_unref(loop_); }

    Result<VmInfo> run()
    {
        retry_.arm(0);
        g_main_loop_run(loop_);
        if (!failure_.empty())
            return fail(ENOTCONN, failure_);
        return connection_.vm();
    }

  private:
    void connect()
    {
        if (const auto begun = join_display(connection_, options_); !begun)
            lost(begun.error().text);
    }
    void lost(const std::string &reason)
    {
        if (g_get_monotonic_time() < give_up_at_)
            return retry_.arm(retry_us);
        failure_ = reason;
        g_main_loop_quit(loop_);
    }

    const Options &options_;
    GMainLoop *loop_ = g_main_loop_new(nullptr, FALSE);
    DisplayConnection connection_;
    Timer retry_;
    int64_t give_up_at_;
    std::string failure_;
};

/// vramlink's devices and their slots ("02.0"); nothing where QMP does not tell.
std::vector<Device> devices_over(const std::string &socket)
{
    if (socket.empty())
        return {};
    auto qmp = Qmp::connect(socket, qmp_limit);
    auto devices = qmp ? find_devices(*qmp) : Result<std::vector<Device>>(std::unexpected(qmp.error()));
    if (!devices) {
        Log::warning("the plans are not known: {}", devices.error().text);
        return {};
    }
    for (Device &device : *devices) {
        const auto address =
            qmp->command("qom-get", json{{"path", device.path}, {"property", "addr"}}.dump());
        const auto value = address ? json::parse(*address, nullptr, false) : json();
        if (value.is_string())
            device.slot = value.get<std::string>();
    }
    return *devices;
}

} // namespace

json describe_outputs(const VmInfo &vm, const std::vector<Device> &devices)
{
    std::vector<std::pair<std::string, json>> stats;
    stats.reserve(devices.size());
    for (const Device &device : devices)
        stats.emplace_back(device.slot, json::parse(device.stats, nullptr, false));
    json outputs = json::array();
    for (const ConsoleInfo &console : vm.consoles) {
        const json blob = console.graphic ? blob_on(stats_at(stats, console.device), console.head) : json();
        outputs.push_back({{"output", console.id},
                           {"graphic", console.graphic},
                           {"width", console.width},
                           {"height", console.height},
                           {"device", console.device},
                           {"head", console.head},
                           {"label", console.label},
                           {"plan", text_or_null(blob, "plan")},
                           {"reason", text_or_null(blob, "reason")}});
    }
    return {{"name", vm.name}, {"uuid", vm.uuid}, {"outputs", std::move(outputs)}};
}

std::string table_of_outputs(const json &vm)
{
    std::string table =
        fmt::format("{} ({})\n", vm.at("name").get<std::string>(), vm.at("uuid").get<std::string>());
    table += fmt::format("{:<7} {:<11} {:<8} {:<22} {}\n", "OUTPUT", "SIZE", "PLAN", "DEVICE", "LABEL");
    for (const auto &output : vm.at("outputs")) {
        const auto text = [&](const char *key) {
            return output.at(key).is_string() ? output.at(key).get<std::string>() : "-";
        };
        const std::string size =
            fmt::format("{}x{}", output.at("width").get<uint32_t>(), output.at("height").get<uint32_t>());
        const std::string device =
            fmt::format("{} head {}", text("device"), output.at("head").get<uint32_t>());
        table +=
            fmt::format("{:<7} {:<11} {:<8} {:<22} {}\n", output.at("output").get<unsigned>(), size,
                        text("plan"), output.at("graphic").get<bool>() ? device : "(text)", text("label"));
        if (output.at("reason").is_string())
            table += fmt::format("        {}\n", text("reason"));
    }
    return table;
}

int run_list(const Options &options)
{
    const auto vm = Lister(options).run();
    if (!vm) {
        Log::error("{}", vm.error().text);
        return exit_connection_lost;
    }
    const json described = describe_outputs(*vm, devices_over(options.qmp));
    fmt::print("{}", options.json ? described.dump(2) + "\n" : table_of_outputs(described));
    return std::fflush(stdout) == 0 ? exit_ok : exit_internal;
}

} // namespace vramlink
