// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/machine.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace fs = std::filesystem;

namespace vramlink::test {

namespace {

constexpr std::uint16_t command_memory_and_master = 0x6;

std::string environment(const char *name)
{
    const char *value = std::getenv(name);
    return value ? value : "";
}

std::string arguments(const Machine::Options &o, const std::string &messages)
{
    std::string ram = o.shared_ram ? "-object memory-backend-memfd,id=ram,share=on,size="
                                   : "-object memory-backend-ram,id=ram,size=";
    ram += std::to_string(o.ram);
    std::string plugin = o.plugin.empty() ? environment("VRAMLINK_PLUGIN") : o.plugin;
    if (!plugin.empty())
        plugin = " -plugin file=" + plugin + o.plugin_options;
    return "-accel " + o.accel + " -S -machine " + o.machine + ",memory-backend=ram -nodefaults -vga none " +
           ram + " -m " + std::to_string(o.ram >> 20) + plugin + " " + o.devices + " -device " + o.gpu +
           ",addr=" + std::to_string(Machine::gpu_slot) + " -display " + o.display + " 2>" + messages;
}

/// libqtest starts $QTEST_QEMU_BINARY through a shell: "env X=… qemu" is a binary to it.
class BinaryWithEnvironment {
  public:
    explicit BinaryWithEnvironment(const Machine::Options &o) : saved_(environment("QTEST_QEMU_BINARY"))
    {
        std::string prefix;
        if (!o.environment.empty())
            prefix += o.environment + " ";
        if (!o.preload.empty())
            prefix += "LD_PRELOAD=" + o.preload + " ";
        if (!prefix.empty())
            setenv("QTEST_QEMU_BINARY", ("env " + prefix + saved_).c_str(), 1);
    }
    ~BinaryWithEnvironment() { setenv("QTEST_QEMU_BINARY", saved_.c_str(), 1); }
    BinaryWithEnvironment(const BinaryWithEnvironment &) = delete;
    BinaryWithEnvironment &operator=(const BinaryWithEnvironment &) = delete;

  private:
    std::string saved_;
};

/// The name of a dma-buf's exporter (Linux: Documentation/filesystems/proc.rst, fdinfo of DMA buffer files).
std::string exporter_of(const std::string &proc, const std::string &fd)
{
    std::ifstream info(proc + "/fdinfo/" + fd);
    std::string word;
    while (info >> word && word != "exp_name:")
        ;
    info >> word;
    return word;
}

/// Without guest RAM and BARs, which grow as the guest first touches them.
std::uint64_t own_resident_bytes(const std::string &proc)
{
    std::ifstream status(proc + "/status");
    std::string word;
    while (status >> word && word != "RssAnon:")
        ;
    std::uint64_t kibibytes = 0;
    status >> kibibytes;
    return kibibytes * 1024;
}

} // namespace

int patience(int ms)
{
    const std::string slow = environment("VRAMLINK_SLOW");
    return slow.empty() ? ms : ms * std::stoi(slow);
}

bool eventually(const std::function<bool()> &condition)
{
    constexpr int limit_ms = 10'000;
    constexpr int step_ms = 20;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience(limit_ms));
    while (std::chrono::steady_clock::now() < end) { // a condition may take its time
        if (condition())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(step_ms));
    }
    return condition();
}

Held held_by(pid_t pid)
{
    const std::string proc = "/proc/" + std::to_string(pid);
    Held held;
    for (const auto &entry : fs::directory_iterator(proc + "/fd")) {
        std::error_code gone;
        const auto target = fs::read_symlink(entry.path(), gone).string();
        held.fds++;
        held.targets.insert(target);
        if (target.find("dmabuf") == std::string::npos)
            continue;
        held.dmabufs++;
        held.vfio_dmabufs += exporter_of(proc, entry.path().filename()).starts_with("vfio");
        struct stat status {};
        if (stat(entry.path().c_str(), &status) == 0)
            held.dmabuf_inodes.insert(status.st_ino);
    }
    std::ifstream maps(proc + "/maps");
    for (std::string line; std::getline(maps, line);)
        held.maps++;
    held.rss = own_resident_bytes(proc);
    return held;
}

Machine::Machine(const Options &options)
{
    static int number = 0;
    const fs::path messages = fs::temp_directory_path() / ("vramlink-qemu-" + std::to_string(getpid()) + "-" +
                                                           std::to_string(number++) + ".log");
    const BinaryWithEnvironment binary(options);
    vm_ = vm_start(arguments(options, messages).c_str(), ram_size);
    messages_.open(messages);
    fs::remove(messages); // both ends have it open
}

Machine::~Machine()
{
    vm_stop(vm_);
}

Json Machine::qmp(const Json &command)
{
    const std::unique_ptr<char, decltype(&std::free)> text(vm_qmp(vm_, command.dump().c_str()), std::free);
    const Json answer = Json::parse(text.get());
    if (answer.contains("return"))
        return answer["return"];
    ADD_FAILURE() << command.dump() << " answered " << answer.dump();
    return nullptr;
}

Json Machine::stats()
{
    const Json text =
        qmp({{"execute", "qom-get"},
             {"arguments", {{"path", "/machine/peripheral/vram0"}, {"property", "vramlink-stats"}}}});
    return text.is_string() ? Json::parse(text.get<std::string>()) : Json();
}

Json Machine::blob(std::uint32_t id)
{
    const Json all = stats();
    for (const auto &blob : all.value("blobs", Json::array()))
        if (blob.value("id", 0u) == id)
            return blob;
    return nullptr;
}

std::string Machine::new_messages()
{
    std::ostringstream text;
    messages_.clear(); // of an earlier end of file
    text << messages_.rdbuf();
    return text.str();
}

void Machine::write(std::uint64_t gpa, const std::vector<std::uint32_t> &words)
{
    vm_write(vm_, gpa, words.data(), words.size() * sizeof(words[0]));
}

Machine::Bar Machine::map_bar(unsigned slot, int bar)
{
    Bar result{vm_pci_open(vm_, slot), 0, 0};
    if (!result.pci) {
        ADD_FAILURE() << "no PCI device in slot " << slot;
        return result;
    }
    result.address = vm_pci_map_bar(result.pci, bar, &result.size);
    vm_pci_set_command(result.pci, vm_pci_command(result.pci) | command_memory_and_master);
    return result;
}

std::string faults_library()
{
    return fs::read_symlink("/proc/self/exe").parent_path() / "libvfio-faults.so";
}

std::string loss_library()
{
    return fs::read_symlink("/proc/self/exe").parent_path() / "libloss-log.so";
}

std::string lazy_library()
{
    return fs::read_symlink("/proc/self/exe").parent_path() / "liblazy-import.so";
}

std::string gl_importer_library()
{
    return fs::read_symlink("/proc/self/exe").parent_path() / "libgl-importer.so";
}

std::string blind_library()
{
    return fs::read_symlink("/proc/self/exe").parent_path() / "libblind.so";
}

std::string stall_library()
{
    return fs::read_symlink("/proc/self/exe").parent_path() / "libstall.so";
}

std::vector<std::string> vfio_hosts()
{
    std::istringstream words(environment("VRAMLINK_VFIO"));
    std::vector<std::string> hosts;
    for (std::string host; words >> host;)
        hosts.push_back(host);
    return hosts;
}

std::string ivshmem(const std::string &id, unsigned slot, unsigned mebibytes)
{
    return "-object memory-backend-memfd,share=on,id=" + id + "-mem,size=" + std::to_string(mebibytes) +
           "M -device ivshmem-plain,id=" + id + ",memdev=" + id + "-mem,addr=" + std::to_string(slot) + " ";
}

} // namespace vramlink::test
